"""What Paddle itself writes is read back, bit for bit, and loads into a Paddle layer."""

from pathlib import Path

import numpy as np
import pytest

from twins import weights
from twins.paddlepaddle import nn, paddle


def network() -> nn.Layer:
    return nn.Sequential(nn.Conv2D(3, 4, 3), nn.BatchNorm2D(4), nn.Linear(5, 2))


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_a_state_dict_that_paddle_saved(protocol: int, tmp_path: Path) -> None:
    saved, loaded, file = network(), network(), tmp_path / "n.pdparams"
    paddle.save(saved.state_dict(), str(file), protocol=protocol)
    weights.load_into(loaded, weights.read(file))
    assert loaded.state_dict().keys() == saved.state_dict().keys()
    for name, tensor in saved.state_dict().items():
        np.testing.assert_array_equal(loaded.state_dict()[name].numpy(), tensor.numpy())


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_that_paddle_saved_with_their_names(protocol: int, tmp_path: Path) -> None:
    file, tensor = tmp_path / "t.pdparams", paddle.arange(6, dtype="float32").reshape([2, 3])
    paddle.save({"w": tensor, "b": tensor[0]}, str(file), protocol=protocol)
    read = weights.read(file)
    np.testing.assert_array_equal(read["w"], tensor.numpy(), strict=True)
    np.testing.assert_array_equal(read["b"], tensor[0].numpy(), strict=True)


def test_random_weights_load_into_a_layer_of_paddles(tmp_path: Path) -> None:
    one, other = network(), network()
    for layer in (one, other):
        weights.load_into(layer, weights.random(weights.shapes(layer), 3))
    for name, tensor in one.state_dict().items():
        np.testing.assert_array_equal(other.state_dict()[name].numpy(), tensor.numpy())
