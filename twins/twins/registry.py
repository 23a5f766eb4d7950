"""The table of the six networks: shape, pixels, published weights and published figures. Pure data, no imports."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from twins.errors import RequestError

NetworkName = Literal["pcpvt_small", "pcpvt_base", "pcpvt_large", "alt_gvt_small", "alt_gvt_base", "alt_gvt_large"]

WEIGHTS_ROOT = "https://paddle-imagenet-models-name.bj.bcebos.com/dygraph"
"""Where PaddleClas publishes ``<name>_pretrained.pdparams``."""


@dataclass(frozen=True)
class Preprocessing:
    """Pixels as the network was evaluated with: short side to ``resize`` (bicubic), centre ``crop``, normalise."""

    resize: int = 256
    crop: int = 224
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Published:
    """Figures of the seed page: ImageNet-1k accuracy, size, and latency on a V100 with TensorRT 8.0.3.4, FP32."""

    top1: float
    top5: float
    paper_top1: float
    flops_g: float
    params_m: float
    latency_ms: Mapping[int, float]
    """Milliseconds a call by batch size (1, 4, 8)."""


@dataclass(frozen=True)
class Network:
    """A Twins network (arXiv 2104.13840, tables 1 and 2). Tuples have one entry a stage."""

    name: NetworkName
    widths: tuple[int, int, int, int]
    heads: tuple[int, int, int, int]
    depths: tuple[int, int, int, int]
    mlp_ratios: tuple[int, int, int, int]
    windows: tuple[int, int, int, int] | None
    """Side of a local attention window in tokens; ``None``: every block attends globally (PCPVT)."""
    drop_path: float
    published: Published
    sr_ratios: tuple[int, int, int, int] = (8, 4, 2, 1)
    """Side of the patch of tokens that global attention folds into one key."""
    preprocessing: Preprocessing = Preprocessing()

    @property
    def weights_url(self) -> str:
        return f"{WEIGHTS_ROOT}/{self.name}_pretrained.pdparams"


def _latency(one: float, four: float, eight: float) -> Mapping[int, float]:
    return MappingProxyType({1: one, 4: four, 8: eight})


_TABLE = (
    Network(
        name="pcpvt_small",
        widths=(64, 128, 320, 512),
        heads=(1, 2, 5, 8),
        depths=(3, 4, 6, 3),
        mlp_ratios=(8, 8, 4, 4),
        windows=None,
        drop_path=0.2,
        published=Published(0.8115, 0.9567, 0.812, 3.7, 24.1, _latency(5.74, 10.51, 15.27)),
    ),
    Network(
        name="pcpvt_base",
        widths=(64, 128, 320, 512),
        heads=(1, 2, 5, 8),
        depths=(3, 4, 18, 3),
        mlp_ratios=(8, 8, 4, 4),
        windows=None,
        drop_path=0.3,
        published=Published(0.8268, 0.9627, 0.827, 6.4, 43.8, _latency(8.44, 16.22, 23.16)),
    ),
    Network(
        name="pcpvt_large",
        widths=(64, 128, 320, 512),
        heads=(1, 2, 5, 8),
        depths=(3, 8, 27, 3),
        mlp_ratios=(8, 8, 4, 4),
        windows=None,
        drop_path=0.5,
        published=Published(0.8306, 0.9659, 0.831, 9.5, 60.9, _latency(16.47, 22.90, 32.73)),
    ),
    Network(
        name="alt_gvt_small",
        widths=(64, 128, 256, 512),
        heads=(2, 4, 8, 16),
        depths=(2, 2, 10, 4),
        mlp_ratios=(4, 4, 4, 4),
        windows=(7, 7, 7, 7),
        drop_path=0.2,
        published=Published(0.8177, 0.9557, 0.817, 2.8, 24.0, _latency(4.93, 9.01, 10.02)),
    ),
    Network(
        name="alt_gvt_base",
        widths=(96, 192, 384, 768),
        heads=(3, 6, 12, 24),
        depths=(2, 2, 18, 2),
        mlp_ratios=(4, 4, 4, 4),
        windows=(7, 7, 7, 7),
        drop_path=0.3,
        published=Published(0.8315, 0.9629, 0.832, 8.3, 56.0, _latency(7.48, 12.60, 19.93)),
    ),
    Network(
        name="alt_gvt_large",
        widths=(128, 256, 512, 1024),
        heads=(4, 8, 16, 32),
        depths=(2, 2, 18, 2),
        mlp_ratios=(4, 4, 4, 4),
        windows=(7, 7, 7, 7),
        drop_path=0.5,
        published=Published(0.8364, 0.9651, 0.837, 14.8, 99.2, _latency(9.28, 18.72, 31.18)),
    ),
)

NETWORKS: Mapping[NetworkName, Network] = MappingProxyType({network.name: network for network in _TABLE})


def network(name: str) -> Network:
    """The network called ``name``.

    Raises:
        RequestError: there is none of that name.
    """
    for candidate in NETWORKS.values():
        if candidate.name == name:
            return candidate
    raise RequestError("model.name", name, "is no Twins network", f"Choose one of {', '.join(NETWORKS)}.")
