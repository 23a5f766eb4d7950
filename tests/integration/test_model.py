"""Our networks against PaddleClas' own, with the same random weights."""

import numpy as np
import paddleclas_model
import pytest

from twins import model, registry
from twins.errors import RequestError
from twins.paddlepaddle import nn, paddle


@pytest.mark.parametrize("name", registry.NETWORKS)
def test_logits_are_those_of_paddleclas(name: str) -> None:
    reference, network = paddleclas_model.build(name), model.build(name, initialise=False)
    weights = paddleclas_model.random_weights(reference, seed=0)
    reference.set_state_dict(weights)
    missing, unexpected = network.set_state_dict(weights)
    network.eval()
    images = np.random.default_rng(1).standard_normal((2, 224, 224, 3), dtype=np.float32)

    with paddle.no_grad():
        expected = reference(paddle.to_tensor(images.transpose(0, 3, 1, 2).copy())).numpy()
        logits = network(paddle.to_tensor(images)).numpy()

    assert (missing, unexpected) == ([], [])
    assert _shapes(network) == _shapes(reference)
    assert np.abs(logits - expected).max() <= 1e-4 * np.abs(expected).max()


def _shapes(network: nn.Layer) -> dict[str, list[int]]:
    return {name: list(value.shape) for name, value in network.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        pytest.param("alt_gvt_small", (192, 256), id="windows that do not tile the grid"),
        pytest.param("pcpvt_small", (192, 256), id="a grid that is not square"),
        pytest.param("alt_gvt_small", (230, 225), id="pixels that fill no patch"),
    ],
)
def test_an_image_of_another_size_does_not_depend_on_its_neighbours(name: str, size: tuple[int, int]) -> None:
    network = model.build(name, num_classes=10)
    network.set_state_dict(paddleclas_model.random_weights(network, seed=0))
    network.eval()
    images = paddle.to_tensor(np.random.default_rng(0).standard_normal((2, *size, 3), dtype=np.float32))

    with paddle.no_grad():
        together = network(images).numpy()
        alone = np.concatenate([network(images[:1]).numpy(), network(images[1:]).numpy()])

    assert np.abs(together - alone).max() <= 1e-5 * np.abs(alone).max()


def test_padding_of_a_window_is_not_attended_to() -> None:
    fits, padded = model.LocalAttention(64, 2, window=5), model.LocalAttention(64, 2, window=7)
    padded.set_state_dict(fits.state_dict())
    tokens = paddle.to_tensor(np.random.default_rng(0).standard_normal((3, 25, 64), dtype=np.float32))

    with paddle.no_grad():
        difference = (fits(tokens, (5, 5)) - padded(tokens, (5, 5))).abs().max().item()

    assert difference < 1e-6


def test_drop_path_grows_over_the_blocks_to_the_published_rate() -> None:
    network = model.build("alt_gvt_large")

    rates = [block.drop_path for stage in network.blocks for block in stage]

    assert rates == pytest.approx(np.linspace(0, 0.5, 24))


def test_drop_path_keeps_or_drops_a_whole_image_and_keeps_the_mean() -> None:
    block = model.Block(64, 64, model.GlobalAttention(64, 2, sr_ratio=1), drop_path=0.25)
    paddle.seed(0)

    kept = block._drop(paddle.ones([4000, 3, 2])).numpy()

    assert set(np.unique(kept)) == {np.float32(0), np.float32(1 / 0.75)}
    assert (kept == kept[:, :1, :1]).all()
    assert kept.mean() == pytest.approx(1, abs=0.03)


def test_a_network_learns() -> None:
    paddle.seed(0)
    network = model.build("alt_gvt_small", num_classes=2)
    images = paddle.to_tensor(np.random.default_rng(0).standard_normal((2, 64, 64, 3), dtype=np.float32))
    labels = paddle.to_tensor([0, 1])
    optimizer = paddle.optimizer.AdamW(1e-3, parameters=network.parameters())

    losses = []
    for _ in range(6):
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        untouched = [name for name, value in network.named_parameters() if value.grad is None]
        optimizer.step()
        optimizer.clear_grad()
        losses.append(loss.item())

    assert untouched == []
    assert losses[-1] < losses[0] / 2


def test_a_fresh_network_is_drawn_as_published() -> None:
    paddle.seed(0)
    network = model.build("alt_gvt_small")
    linear, convolution = network.blocks[2][0].mlp.fc1, network.patch_embeds[1].proj

    assert linear.weight.std().item() == pytest.approx(0.02, rel=0.15)
    assert convolution.weight.std().item() == pytest.approx((2 / (2 * 2 * 128)) ** 0.5, rel=0.05)
    assert not linear.bias.numpy().any()
    assert not convolution.bias.numpy().any()


def test_an_unknown_network_is_refused() -> None:
    with pytest.raises(RequestError, match=r"model.name: 'swin' is no Twins network"):
        model.build("swin")
