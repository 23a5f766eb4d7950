"""The six Twins networks: PCPVT and ALT-GVT (SVT), each small, base and large.

From *Twins: Revisiting the Design of Spatial Attention in Vision Transformers* (Chu et al., arXiv 2104.13840).
Parameters have PaddleClas' names and shapes, so its published weights load by name.

Everything is channels last: an image is ``[N, H, W, 3]`` and tokens are ``[N, H * W, C]``. How the attention is
written, four dimensions and one transpose a window partition, is what inference engines fuse into one kernel.
"""

import math
from contextlib import nullcontext
from itertools import pairwise

from twins import registry
from twins.paddlepaddle import Tensor, nn, paddle
from twins.paddlepaddle import functional as F  # noqa: N812 - the name that Paddle's documentation gives it

Size = tuple[int, int]
"""Rows and columns of a grid of tokens."""


class Twins(nn.Layer):
    """A pyramid of four stages: fold patches into tokens, attend, and say in between where the tokens are.

    Args:
        spec: the network's shape.
        num_classes: width of the classifier.
        drop_path: rate of stochastic depth in the last block; it grows linearly from 0 in the first.
    """

    def __init__(self, spec: registry.Network, num_classes: int, drop_path: float) -> None:
        super().__init__()
        channels = (3, *spec.widths)
        self.patch_embeds = nn.LayerList(
            PatchEmbedding(narrow, wide, side=4 if narrow == 3 else 2) for narrow, wide in pairwise(channels)
        )
        drops = _linear_rates(drop_path, spec.depths)
        self.blocks = nn.LayerList(nn.LayerList(_stage(spec, stage, drops[stage])) for stage in range(4))
        self.pos_block = nn.LayerList(PositionalEncoding(width) for width in spec.widths)
        self.norm = nn.LayerNorm(spec.widths[-1], epsilon=1e-6)
        self.head = nn.Linear(spec.widths[-1], num_classes)
        self.apply(_initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``[N, classes]`` of normalised images ``[N, H, W, 3]``."""
        return self.head(self.features(images))

    def features(self, images: Tensor) -> Tensor:
        """The mean ``[N, widths[-1]]`` of the last tokens, normalised: what the classifier sees."""
        grid = images
        for stage, patch_embed in enumerate(self.patch_embeds):
            tokens, size = patch_embed(grid)
            for index, block in enumerate(self.blocks[stage]):
                tokens = block(tokens, size)
                if index == 0:
                    tokens = self.pos_block[stage](tokens, size)
            grid = tokens.reshape([-1, *size, tokens.shape[-1]])
        return self.norm(tokens).mean(axis=1)


def build(name: str, num_classes: int = 1000, drop_path: float | None = None, *, initialise: bool = True) -> Twins:
    """The network called ``name``, randomly initialised, in training mode.

    Args:
        name: one of ``twins.registry.NETWORKS``.
        num_classes: width of the classifier.
        drop_path: rate of stochastic depth; by default the one that the network was published with.
        initialise: whether to draw weights; if not, load every one of them before the network is used.

    Raises:
        RequestError: there is no network of that name.
    """
    spec = registry.network(name)
    with nullcontext() if initialise else paddle.LazyGuard():
        return Twins(spec, num_classes, spec.drop_path if drop_path is None else drop_path)


def _stage(spec: registry.Network, stage: int, drops: list[float]) -> list["Block"]:
    width, heads, hidden = spec.widths[stage], spec.heads[stage], spec.widths[stage] * spec.mlp_ratios[stage]

    def attention(index: int) -> nn.Layer:
        if spec.windows is not None and index % 2 == 0:
            return LocalAttention(width, heads, spec.windows[stage])
        return GlobalAttention(width, heads, spec.sr_ratios[stage])

    return [Block(width, hidden, attention(index), drop) for index, drop in enumerate(drops)]


def _linear_rates(last: float, depths: tuple[int, ...]) -> list[list[float]]:
    """From 0 in the first block to ``last`` in the last one, a list a stage."""
    blocks = sum(depths)
    rates = iter(last * index / (blocks - 1) for index in range(blocks))
    return [[next(rates) for _ in range(depth)] for depth in depths]


class Block(nn.Layer):
    """Attention, then an MLP, each normalised before and added to what came in."""

    def __init__(self, width: int, hidden: int, attention: nn.Layer, drop_path: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, epsilon=1e-6)
        self.attn = attention
        self.norm2 = nn.LayerNorm(width, epsilon=1e-6)
        self.mlp = Mlp(width, hidden)
        self.drop_path = drop_path

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        tokens = tokens + self._drop(self.attn(self.norm1(tokens), size))
        return tokens + self._drop(self.mlp(self.norm2(tokens)))

    def _drop(self, branch: Tensor) -> Tensor:
        """Stochastic depth (arXiv 1603.09382): in training, leave the branch out for some of the images."""
        if not self.training or self.drop_path == 0:
            return branch
        keep = paddle.bernoulli(paddle.full([branch.shape[0], 1, 1], 1 - self.drop_path, branch.dtype))
        return branch * keep / (1 - self.drop_path)


class Mlp(nn.Layer):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(tokens)))


class LocalAttention(nn.Layer):
    """Attention among the tokens of one window (LSA, section 3.2). A grid that windows do not tile is padded."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads, self.window = heads, window
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        tiled = self._tiled(size)
        if tiled == size:
            return self.proj(self._attend(self.qkv(tokens), size, hidden=None))
        grid = _pad(tokens.reshape([-1, *size, tokens.shape[-1]]), size, tiled, value=0.0)
        hidden = _hidden_keys(size, tiled, self.window).tile([grid.shape[0], 1, 1])
        mixed = self._attend(self.qkv(grid), tiled, hidden)
        return self.proj(mixed.reshape([-1, *tiled, tokens.shape[-1]])[:, : size[0], : size[1]].flatten(1, 2))

    def pairs(self, size: Size) -> int:
        """Queries times the keys that each is compared with."""
        rows, columns = self._tiled(size)
        return rows * columns * self.window**2

    def _tiled(self, size: Size) -> Size:
        return _round_up(size[0], self.window), _round_up(size[1], self.window)

    def _attend(self, qkv: Tensor, size: Size, hidden: Tensor | None) -> Tensor:
        side, columns, width = self.window, size[1] // self.window, qkv.shape[-1] // 3
        head_width = width // self.heads
        # One transpose cuts the windows, and splits queries, keys and values. It has six axes, with 3 and heads in
        # one, because Paddle's oneDNN kernels stop there; which of heads and windows comes first is all the same.
        rows = qkv.reshape([-1, side, columns, side, 3 * self.heads, head_width])
        windows = rows.transpose([4, 0, 2, 1, 3, 5]).reshape([3, self.heads, -1, side * side, head_width])
        mixed = _attention(windows[0], windows[1], windows[2], hidden)
        rows = mixed.reshape([self.heads, -1, columns, side, side, head_width]).transpose([1, 3, 2, 4, 0, 5])
        return rows.reshape([-1, size[0] * size[1], width])


class GlobalAttention(nn.Layer):
    """Every token attends to one key a patch of ``sr_ratio`` x ``sr_ratio`` tokens (GSA, section 3.2; PVT's SRA)."""

    def __init__(self, width: int, heads: int, sr_ratio: int) -> None:
        super().__init__()
        self.heads, self.sr_ratio = heads, sr_ratio
        self.q = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.proj = nn.Linear(width, width)
        if sr_ratio > 1:
            self.sr = PatchConvolution(width, width, sr_ratio)
            self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        count, width = tokens.shape[1:]
        head_width = width // self.heads
        queries = self.q(tokens).reshape([-1, count, self.heads, head_width]).transpose([0, 2, 1, 3])
        summary = self._summarise(tokens, size)
        pairs = self.kv(summary).reshape([-1, summary.shape[1], 2, self.heads, head_width]).transpose([2, 0, 3, 1, 4])
        mixed = _attention(queries, pairs[0], pairs[1], hidden=None)
        return self.proj(mixed.transpose([0, 2, 1, 3]).reshape([-1, count, width]))

    def pairs(self, size: Size) -> int:
        """Queries times the keys that each is compared with."""
        return math.prod(size) * math.prod(side // self.sr_ratio for side in size)

    def _summarise(self, tokens: Tensor, size: Size) -> Tensor:
        if self.sr_ratio == 1:
            return tokens
        summary, _ = self.sr(tokens.reshape([-1, *size, tokens.shape[-1]]))
        return self.norm(summary)


def _attention(queries: Tensor, keys: Tensor, values: Tensor, hidden: Tensor | None) -> Tensor:
    """Scaled dot-product attention over ``[groups, heads, tokens, head_width]``; ``hidden`` is added to the scores."""
    scores = paddle.matmul(queries * queries.shape[-1] ** -0.5, keys, transpose_y=True)
    return paddle.matmul(F.softmax(scores if hidden is None else scores + hidden), values)


def _hidden_keys(size: Size, tiled: Size, window: int) -> Tensor:
    """What to add to scores, ``[windows, 1, window * window]``: 0 for a token, -1e4 (which fp16 holds) for padding."""
    rows, columns = tiled[0] // window, tiled[1] // window
    outside = _pad(paddle.zeros([1, *size, 1]), size, tiled, value=-1e4)
    windows = outside.reshape([rows, window, columns, window]).transpose([0, 2, 1, 3])
    return windows.reshape([rows * columns, 1, window * window])


def _pad(grid: Tensor, size: Size, tiled: Size, value: float) -> Tensor:
    """Rows below and columns to the right of ``[N, *size, C]`` until it is ``[N, *tiled, C]``."""
    return F.pad(grid, [0, 0, 0, tiled[0] - size[0], 0, tiled[1] - size[1], 0, 0], value=value)


def _round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


class PatchConvolution(nn.Conv2D):
    """A convolution whose stride is its kernel: a linear map of patches, and computed as one.

    Tokens of the last rows and columns that fill no patch are left out, as a convolution does.
    """

    def __init__(self, narrow: int, wide: int, side: int) -> None:
        super().__init__(narrow, wide, kernel_size=side, stride=side)
        self.side = side

    def forward(self, grid: Tensor) -> tuple[Tensor, Size]:
        """Tokens ``[N, rows * columns, wide]`` and their size from a grid ``[N, H, W, narrow]``."""
        return map_patches(grid, self.side, self.matrix(), self.bias)

    def matrix(self) -> Tensor:
        """The kernel as ``[side * side * narrow, wide]``."""
        return self.weight.transpose([2, 3, 1, 0]).reshape([-1, self.weight.shape[0]])


def map_patches(grid: Tensor, side: int, matrix: Tensor, bias: Tensor) -> tuple[Tensor, Size]:
    """One token for each whole patch of ``side`` x ``side``, and the size of their grid."""
    height, width, channels = grid.shape[1:]
    rows, columns = height // side, width // side
    if (rows * side, columns * side) != (height, width):
        grid = grid[:, : rows * side, : columns * side]
    strips = grid.reshape([-1, side, columns, side * channels]).transpose([0, 2, 1, 3])
    return F.linear(strips.reshape([-1, rows * columns, side * side * channels]), matrix, bias), (rows, columns)


class PatchEmbedding(nn.Layer):
    """Fold each patch of ``side`` x ``side`` into one token."""

    def __init__(self, narrow: int, wide: int, side: int) -> None:
        super().__init__()
        self.proj = PatchConvolution(narrow, wide, side)
        self.norm = nn.LayerNorm(wide)

    def forward(self, grid: Tensor) -> tuple[Tensor, Size]:
        tokens, size = self.proj(grid)
        return self.norm(tokens), size


class PositionalEncoding(nn.Layer):
    """Tokens learn where they are from their neighbours and from the zeros around the grid (PEG, arXiv 2102.10882)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.proj = nn.Sequential(nn.Conv2D(width, width, kernel_size=3, padding=1, groups=width))

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        count, width = tokens.shape[1:]
        grid = tokens.reshape([-1, *size, width]).transpose([0, 3, 1, 2])
        return tokens + self.proj(grid).transpose([0, 2, 3, 1]).reshape([-1, count, width])


def _initialise(layer: nn.Layer) -> None:
    """Linear maps from a truncated normal of 0.02, convolutions as He et al. by fan-out, biases zero."""
    if isinstance(layer, nn.Linear):
        nn.initializer.TruncatedNormal(std=0.02)(layer.weight)
        nn.initializer.Constant(0.0)(layer.bias)
    elif isinstance(layer, nn.Conv2D):
        wide, _, *kernel = layer.weight.shape
        fan_out = wide * math.prod(kernel) // layer._groups
        nn.initializer.Normal(std=math.sqrt(2 / fan_out))(layer.weight)
        nn.initializer.Constant(0.0)(layer.bias)
