"""Labels: ImageNet-1k's come with the package; a file's are taken as they are."""

import importlib.util
from pathlib import Path

import pytest

from twins import labels
from twins.errors import RequestError


def test_the_default_is_imagenets_list_as_paddleclas_has_it(tmp_path: Path) -> None:
    wheel = importlib.util.find_spec("paddleclas")
    assert wheel is not None
    assert wheel.origin is not None
    theirs = Path(wheel.origin).parent / "ppcls" / "utils" / "imagenet1k_label_list.txt"
    expected = [line.partition(" ")[2].strip() for line in theirs.read_text().splitlines()]
    assert list(labels.load(None, 1000, tmp_path)) == expected


def test_a_file_gives_one_label_a_line(tmp_path: Path) -> None:
    file = tmp_path / "flowers of ours.txt"
    file.write_text("\ufeffpink primrose\r\n  sweet pea\n\ntiger lily 虎\n", "utf-8")
    assert labels.load(str(file), 3, tmp_path) == ("pink primrose", "sweet pea", "tiger lily 虎")
    assert labels.load(file.as_uri(), 3, tmp_path)[1] == "sweet pea"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"one\ntwo\n", "has 2 labels for 3 classes", id="too few"),
        pytest.param(b"", "has 0 labels for 3 classes", id="none"),
        pytest.param(b"\xff\xfe1\0", "is no text in UTF-8", id="another encoding"),
        pytest.param(None, "cannot be read", id="no file"),
    ],
)
def test_labels_that_cannot_be_used_are_a_clear_error(content: bytes | None, said: str, tmp_path: Path) -> None:
    file = tmp_path / "labels.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(RequestError, match=said) as refusal:
        labels.load(str(file), 3, tmp_path)
    assert refusal.value.field == "model.labels"


def test_the_default_with_another_number_of_classes_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="has 1000 labels for 102 classes"):
        labels.load(None, 102, tmp_path)
