"""The pictures that a reduced precision is judged on."""

from pathlib import Path

import photographs
import pytest
import steps

from twins.errors import RequestError
from twins_worker import sample


def test_a_large_object_is_no_sample_unless_its_size_is_known(tmp_path: Path) -> None:
    (tmp_path / "1.jpg").write_bytes(photographs.jpeg(1) + bytes(sample.UNKNOWN_BYTES))
    (tmp_path / "m.txt").write_text("1.jpg\n")
    out = str(tmp_path / "out")
    with pytest.raises(RequestError, match="has no picture to judge the precision on"):
        sample.pictures(steps.job(str(tmp_path / "m.txt"), out), 1)
    assert len(sample.pictures(steps.job(str(tmp_path / "1.jpg"), out), 1)) == 1
