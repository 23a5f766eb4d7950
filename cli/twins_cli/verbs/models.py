"""``twins models``: the table of networks."""

from twins.registry import NETWORKS, Network
from twins_cli import terminal
from twins_cli.terminal import Format, Output

SIZES = ("network", "params (M)", "published", "FLOPs (G)", "published FLOPs", "with attention (G)")
ACCURACY = ("network", "Top-1", "Top-5", "paper's Top-1")
LATENCY = ("network", "batch 1 (ms)", "batch 4 (ms)", "batch 8 (ms)")


def models(output: Output = Format.text) -> None:
    """The six networks: size, accuracy and latency.

    Parameters and FLOPs (a multiply-add counts as one) are computed from the networks as they are built here, beside
    the published ones, which leave out the products inside the attention. Accuracy (ImageNet-1k) and latency (V100,
    TensorRT 8.0.3.4, FP32) are the published figures.

    Example:

        twins models --output json
    """
    tables = {
        "Size": (SIZES, _sizes()),
        "Accuracy, as published": (ACCURACY, [_accuracy(network) for network in NETWORKS.values()]),
        "Latency, as published": (LATENCY, [_latency(network) for network in NETWORKS.values()]),
    }
    if output is Format.json:
        terminal.tell_json({title: terminal.record(*table) for title, table in tables.items()})
        return
    for title, table in tables.items():
        terminal.tell_table(*table, title=f"\n{title}")


def _sizes() -> list[tuple[object, ...]]:
    with terminal.progress("build", len(NETWORKS), unit="networks") as advance:
        sizes = []
        for number, network in enumerate(NETWORKS.values(), 1):
            sizes.append(_size(network))
            advance(number)
        return sizes


def _size(network: Network) -> tuple[object, ...]:
    from twins import flops, model

    cost = flops.cost(model.build(network.name))
    computed = (f"{number:.1f}" for number in (cost.parameters / 1e6, cost.maps / 1e9, cost.multiply_adds / 1e9))
    parameters, maps, all_products = computed
    return network.name, parameters, network.published.params_m, maps, network.published.flops_g, all_products


def _accuracy(network: Network) -> tuple[object, ...]:
    published = network.published
    return network.name, *(f"{share:.4f}" for share in (published.top1, published.top5)), published.paper_top1


def _latency(network: Network) -> tuple[object, ...]:
    return network.name, *(f"{milliseconds:.2f}" for milliseconds in network.published.latency_ms.values())
