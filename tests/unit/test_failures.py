"""A failure is one of a closed set of codes, and its detail is fit to be written into a table."""

import pytest

from twins_worker.failures import CODES, DETAIL_CHARACTERS, Failure, failure


@pytest.mark.parametrize("code", CODES)
def test_every_code_makes_a_failure(code: str) -> None:
    assert failure(code, "why").code == code


def test_a_code_that_is_not_in_the_set_is_a_bug() -> None:
    with pytest.raises(ValueError, match="'eaten' is no failure code"):
        failure("eaten", "by a dog")


@pytest.mark.parametrize(
    ("said", "written"),
    [
        pytest.param("no such key", "no such key", id="a plain sentence stays"),
        pytest.param("cannot read <_io.BytesIO at 0x7f3a5c1e40>", "cannot read <_io.BytesIO at 0x…>", id="no pointer"),
        pytest.param("GET https://h/p.jpg?X-Amz-Signature=ab12 403", "GET https://h/p.jpg 403", id="no signed query"),
        pytest.param("two\n  lines", "two lines", id="one line"),
        pytest.param("x" * 5000, "x" * DETAIL_CHARACTERS, id="cut"),
    ],
)
def test_detail(said: str, written: str) -> None:
    assert failure("truncated", said) == Failure("truncated", written)
