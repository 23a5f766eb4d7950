"""What is written for the engines computes what the network computes."""

import hashlib
from pathlib import Path

import numpy as np
import onnxruntime
import paddleclas_model
import pytest

from twins import export, model, registry
from twins.errors import RequestError
from twins.exported import Exported

SMALL = "alt_gvt_small"


def network(name: str = SMALL, seed: int = 0, num_classes: int = 1000) -> model.Twins:
    built = model.build(name, num_classes, initialise=False)
    built.set_state_dict(paddleclas_model.random_weights(built, seed))
    return built


def test_a_batch_may_be_fixed(tmp_path: Path) -> None:
    exported = export.export(network(), registry.network(SMALL), tmp_path / "model", batch=2)

    session = onnxruntime.InferenceSession(tmp_path / "model" / "model.onnx")
    assert exported.batch == 2
    assert [value.shape for value in session.get_inputs()] == [[2, 224, 224, 3]]
    assert [value.shape for value in session.get_outputs()] == [[2, 1000], [2, 512]]


def test_the_same_weights_give_the_same_bytes_and_are_exported_once(tmp_path: Path) -> None:
    spec = registry.network(SMALL)
    first = export.export(network(), spec, tmp_path / "first")
    second = export.export(network(), spec, tmp_path / "second")
    again = export.export(network(), spec, tmp_path / "first")

    assert first == second == again == Exported.read(tmp_path / "first")
    assert _digests(tmp_path / "first") == _digests(tmp_path / "second")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["first", "second"]


def _digests(directory: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir()}


def test_another_model_is_not_overwritten(tmp_path: Path) -> None:
    spec = registry.network(SMALL)
    export.export(network(num_classes=3), spec, tmp_path / "model")
    before = _digests(tmp_path / "model")

    with pytest.raises(RequestError, match="is there already and holds something else"):
        export.export(network(num_classes=3, seed=1), spec, tmp_path / "model")

    assert _digests(tmp_path / "model") == before
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_network_stays_as_it_was(tmp_path: Path) -> None:
    built = network(num_classes=3)
    before = export.weights_digest(built)

    export.export(built, registry.network(SMALL), tmp_path / "model")

    assert export.weights_digest(built) == before
    assert built.training


def test_an_export_that_differs_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    built = network(num_classes=3)
    built.head.bias.set_value(np.full(3, np.nan, np.float32))

    with pytest.raises(export.ExportDiffers, match="the paddle export is nan"):
        export.export(built, registry.network(SMALL), tmp_path / "model")

    assert list(tmp_path.iterdir()) == []
