"""What a network costs: its parameters, and its multiply-adds for one image.

Counted are the products of linear maps, convolutions and attention (queries with keys, scores with values), one for
a multiplication with its addition, as the papers of this field count "FLOPs". Not counted: biases, normalisation,
softmax, GELU and the additions of residuals.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twins import model
from twins.paddlepaddle import nn, paddle

Hook = Callable[[Any, tuple[Any, ...], Any], None]


@dataclass(frozen=True)
class Cost:
    parameters: int
    maps: int
    """Multiply-adds of linear maps and convolutions, for one image: what is published as FLOPs."""
    attention: int
    """Multiply-adds of the products inside the attention, for one image."""

    @property
    def multiply_adds(self) -> int:
        return self.maps + self.attention


def cost(network: model.Twins, side: int = 224) -> Cost:
    """Count while ``network`` sees one image of ``side`` x ``side`` pixels."""
    counts = {"maps": 0, "attention": 0}
    hooks = [layer.register_forward_post_hook(_counting(counts, layer)) for layer in network.sublayers()]
    try:
        with paddle.no_grad():
            network(paddle.zeros([1, side, side, 3]))
    finally:
        for hook in hooks:
            hook.remove()
    return Cost(parameters=sum(math.prod(value.shape) for value in network.parameters()), **counts)


def _counting(counts: dict[str, int], layer: nn.Layer) -> Hook:
    def count(_: nn.Layer, inputs: tuple[Any, ...], output: Any) -> None:
        if isinstance(layer, nn.Linear):
            counts["maps"] += math.prod(output.shape) * layer.weight.shape[0]
        elif isinstance(layer, nn.Conv2D):
            tokens = output[0] if isinstance(output, tuple) else output
            counts["maps"] += math.prod(tokens.shape) * math.prod(layer.weight.shape[1:])
        elif isinstance(layer, model.LocalAttention | model.GlobalAttention):
            _, size = inputs
            counts["attention"] += 2 * layer.pairs(size) * output.shape[-1]

    return count
