"""Computed sizes beside the published ones."""

import math

import pytest

from twins import flops, model, registry


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_the_published_table_is_parameters_cut_and_maps_rounded(name: str) -> None:
    published = registry.network(name).published

    cost = flops.cost(model.build(name))

    assert math.floor(cost.parameters / 1e5) / 10 == published.params_m
    assert round(cost.maps / 1e9, 1) == published.flops_g


def test_attention_products_by_hand() -> None:
    """Every query of alt_gvt_small has 49 keys: those of its window, or one a patch of the grid."""
    stages = ((2, 56, 64), (2, 28, 128), (10, 14, 256), (4, 7, 512))

    cost = flops.cost(model.build("alt_gvt_small"))

    assert cost.attention == sum(depth * 2 * side**2 * 49 * width for depth, side, width in stages)
    assert cost.multiply_adds == cost.maps + cost.attention


def test_counting_leaves_nothing_behind() -> None:
    network = model.build("alt_gvt_small", num_classes=2)

    assert flops.cost(network) == flops.cost(network)
    assert all(not layer._forward_post_hooks for layer in network.sublayers())
