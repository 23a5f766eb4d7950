"""Globs on keys: what matches, and what starts every match."""

import pytest

from twins.errors import RequestError
from twins_worker.listing import globs


@pytest.mark.parametrize(
    ("pattern", "matches", "does_not_match"),
    [
        pytest.param("2026/*/*.jpg", ["2026/a/b.jpg", "2026/a/.jpg"], ["2026/b.jpg", "2026/a/c/b.jpg"], id="a star"),
        pytest.param("**/*.jpg", ["a.jpg", "x/y/a.jpg"], ["a.png"], id="folders, none or many"),
        pytest.param("a/**", ["a/b", "a/b/c"], ["a", "ab/c"], id="all below"),
        pytest.param("?.jpg", ["1.jpg", "é.jpg"], ["12.jpg", "/.jpg"], id="one character"),
        pytest.param("[a-c]x", ["ax", "cx"], ["dx", "/x"], id="a set"),
        pytest.param("[!a-c]x", ["dx", "!x"], ["ax", "/x"], id="all but a set"),
        pytest.param("[]^-]", ["]", "^", "-"], ["a", "\\"], id="a set of what has a meaning"),
        pytest.param("a+(b).{1}|$", ["a+(b).{1}|$"], ["aab1"], id="what only regular expressions know"),
        pytest.param("a[b", ["a[b"], ["ab"], id="a bracket that is not closed"),
        pytest.param("*", ["line\nbreak"], ["a/b"], id="a line break"),
    ],
)
def test_a_glob_is_about_the_whole_key(pattern: str, matches: list[str], does_not_match: list[str]) -> None:
    is_match = globs.matcher(pattern, field="input.uri")
    assert [key for key in matches + does_not_match if is_match(key)] == matches


def test_a_pattern_without_a_slash_is_about_the_name_in_any_folder() -> None:
    is_match = globs.any_of(("*.jpg", "a/*.png"), field="input.include")
    keys = ["1.jpg", "x/y/2.jpg", "a/3.png", "4.png", "x/a/5.png"]
    assert [key for key in keys if is_match(key)] == ["1.jpg", "x/y/2.jpg", "a/3.png"]


@pytest.mark.parametrize(
    ("pattern", "start"), [("2026/*/*.jpg", "2026/"), ("2026/a?b", "2026/a"), ("plain", "plain"), ("[ab]", "")]
)
def test_every_match_starts_alike(pattern: str, start: str) -> None:
    assert globs.literal_start(pattern) == start


def test_a_set_that_is_none_is_refused() -> None:
    with pytest.raises(RequestError, match=r"input.include: '\[z-a\]' is no glob"):
        globs.any_of(("[z-a]",), field="input.include")
