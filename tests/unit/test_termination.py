"""A step can be told to stop, and says what happened in what a kubelet reads."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from twins_worker.termination import MESSAGE_BYTES, Message, ToldToStop, fitted, stoppable


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"step": "infer", "images": 3}, id="a short message"),
        pytest.param({"step": "infer", "message": "é" * 5000}, id="one long text"),
        pytest.param({"why": "a" * 9000, "message": "\x00" * 3000, "images": 3}, id="several long texts"),
    ],
)
def test_a_message_fits_whole_and_as_json(told: dict[str, object]) -> None:
    data = fitted(told)
    read = json.loads(data)
    assert len(data) <= MESSAGE_BYTES
    assert read.keys() == told.keys()
    for name, value in told.items():
        assert read[name] == value or str(value).startswith(read[name].removesuffix("…"))


def test_sigterm_unwinds_once() -> None:
    """A second one, during the unwinding, changes nothing."""
    unwound: list[bool] = []
    with pytest.raises(ToldToStop):
        terminate_within(unwound)
    assert unwound == [True]


def terminate_within(unwound: list[bool]) -> None:
    with stoppable(Message(None, "infer")):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            unwound.append(True)


def test_a_message_names_its_step(tmp_path: Path) -> None:
    Message(tmp_path / "log", "commit").write({"images": 3})
    assert json.loads((tmp_path / "log").read_bytes()) == {"step": "commit", "images": 3}


def test_a_message_that_cannot_be_written_harms_nothing(tmp_path: Path) -> None:
    Message(tmp_path, "commit").write({"images": 3})
    assert list(tmp_path.iterdir()) == []
