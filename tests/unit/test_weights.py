"""Weights: named places, files read without trust, parameters that fit or are named, seeds that give the same bits."""

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twins import weights
from twins.errors import RequestError
from twins.registry import network
from twins.weights import Resolved

NETWORK = network("alt_gvt_small")


class Tensor:
    def __init__(self, *shape: int) -> None:
        self.shape = list(shape)
        self.value = np.zeros(shape, np.float32)

    def set_value(self, value: Any) -> None:
        self.value = value


class Network:
    """Three parameters, as a Paddle layer shows them."""

    def __init__(self) -> None:
        self.tensors = {"norm.weight": Tensor(4), "head.weight": Tensor(4, 10), "head.bias": Tensor(10)}

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors


def fitting() -> dict[str, np.ndarray[Any, Any]]:
    return {name: np.full(tensor.shape, 2, np.float64) for name, tensor in Network().tensors.items()}


def test_parameters_that_fit_are_put_in_as_float32() -> None:
    layer = Network()
    weights.load_into(layer, fitting())
    for tensor in layer.tensors.values():
        np.testing.assert_array_equal(tensor.value, np.full(tensor.shape, 2, np.float32), strict=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({"head.bias": None}, "'head.bias' is missing in the weights", id="missing"),
        pytest.param({"head.bias": None, "norm.weight": None}, "'head.bias and 1 more' is missing", id="two missing"),
        pytest.param({"neck.bias": np.ones(1)}, "'neck.bias' is no parameter of the network", id="surplus"),
        pytest.param({"norm.weight": np.ones(5)}, "'norm.weight' has shape [5], the network's has [4]", id="misshapen"),
        pytest.param({"head.weight": np.ones((4, 102))}, "set model.numClasses to 102", id="another number of classes"),
        pytest.param({"head.weight": np.ones((5, 10))}, "Check that model.name", id="the head of another network"),
    ],
)
def test_a_parameter_that_does_not_fit_is_named_and_nothing_is_loaded(change: dict[str, Any], said: str) -> None:
    layer, given = Network(), {name: value for name, value in {**fitting(), **change}.items() if value is not None}
    with pytest.raises(RequestError) as refusal:
        weights.load_into(layer, given)
    assert said in str(refusal.value)
    assert refusal.value.field == "model.weights"
    assert all(not tensor.value.any() for tensor in layer.tensors.values())


def test_a_file_of_arrays_is_read_and_loaded(tmp_path: Path) -> None:
    file, layer = tmp_path / "small.pdparams", Network()
    file.write_bytes(pickle.dumps(fitting(), 2))
    resolved = weights.resolve(str(file), NETWORK, tmp_path / "cache")
    assert resolved == Resolved(str(file), hashlib.sha256(file.read_bytes()).hexdigest(), path=file)
    weights.load(layer, resolved)
    assert all((tensor.value == 2).all() for tensor in layer.tensors.values())


def test_a_digest_that_is_given_is_held_to(tmp_path: Path) -> None:
    file = tmp_path / "a b#1.pdparams"
    file.write_bytes(b"weights")
    digest, other = hashlib.sha256(b"weights").hexdigest(), hashlib.sha256(b"others").hexdigest()
    given = Resolved(str(file), digest, path=file, is_verified=True)
    assert weights.resolve(f"{file}#sha256={digest.upper()}", NETWORK, tmp_path) == given
    assert weights.resolve(f"{file.as_uri()}#sha256={digest}", NETWORK, tmp_path).path == file
    with pytest.raises(RequestError, match=f"has SHA-256 {digest}, not {other}"):
        weights.resolve(f"{file}#sha256={other}", NETWORK, tmp_path)
    with pytest.raises(RequestError, match="has no SHA-256 after #sha256="):
        weights.resolve(f"{file}#sha256=12", NETWORK, tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"cos\nsystem\n(S'true'\ntR.", "asks for os.system", id="a hostile pickle"),
        pytest.param(pickle.dumps(fitting())[:-9], "cannot be read as weights", id="a file cut short"),
        pytest.param(pickle.dumps("text"), "holds a str", id="something else"),
    ],
)
def test_a_file_that_is_no_weights_is_a_clear_error(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.pdparams"
    file.write_bytes(content)
    with pytest.raises(RequestError, match=said) as refusal:
        weights.read(file)
    assert str(file) in str(refusal.value)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        pytest.param("/no/such/file.pdparams", "is not there", id="a path that leads nowhere"),
        pytest.param("file:///no/such/file.pdparams", "is not there", id="a file URI that leads nowhere"),
        pytest.param("/", "is a folder", id="a folder"),
        pytest.param("ftp://host/file.pdparams", "is of no kind that weights come from", id="a scheme not spoken"),
        pytest.param("random:", "names no seed", id="no seed"),
        pytest.param("random:-1", "names no seed", id="a negative seed"),
    ],
)
def test_what_names_no_weights_is_a_clear_error(uri: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=said):
        weights.resolve(uri, NETWORK, tmp_path)


SHAPES = {"patch.weight": (64, 3, 4, 4), "fc.weight": (64, 128), "fc.bias": (128,), "norm.weight": (64,)}


def test_a_seed_gives_the_same_bits_everywhere() -> None:
    drawn = weights.random(SHAPES, 7)
    digest = hashlib.sha256(b"".join(value.astype("<f4").tobytes() for value in drawn.values())).hexdigest()
    assert digest == "d6f4ac1a6d36b93391cd66cb778b30270036188e5e14210c226387cb78f7072d"
    assert {name: value.shape for name, value in drawn.items()} == SHAPES


def test_seeds_and_names_give_other_numbers() -> None:
    one, other = weights.random(SHAPES, 0), weights.random(SHAPES, 1)
    assert all((one[name] != other[name]).any() for name in SHAPES)
    assert weights.resolve("random:0", NETWORK, Path()).digest != weights.resolve("random:1", NETWORK, Path()).digest
    np.testing.assert_array_equal(weights.random({"fc.bias": (128,)}, 0)["fc.bias"], one["fc.bias"])


def test_random_weights_let_the_signal_through() -> None:
    drawn = weights.random(SHAPES, 0)
    inputs = np.random.default_rng(0).standard_normal((256, 64)).astype(np.float32)
    assert 0.8 < float((inputs @ drawn["fc.weight"]).std()) < 1.2
    assert drawn["norm.weight"].min() >= 0.9
    assert 0 < np.abs(drawn["fc.bias"]).max() <= 0.1
