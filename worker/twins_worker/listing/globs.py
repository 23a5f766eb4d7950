"""Globs on keys, as shells with ``**`` understand them."""

import re
from collections.abc import Callable

from twins.errors import RequestError

Matches = Callable[[str], bool]

_WILDCARDS = re.compile(r"[*?\[]")
_TOKENS = re.compile(
    r"(?P<folders>\*\*/)|(?P<all>\*\*)|(?P<some>\*)|(?P<one>\?)|\[(?P<set>[!^]?(?:\][^\]]*|[^\]]+))\]|(?P<plain>.)",
    re.DOTALL,
)


def has_wildcard(text: str) -> bool:
    return _WILDCARDS.search(text) is not None


def literal_start(pattern: str) -> str:
    """What every match starts with."""
    found = _WILDCARDS.search(pattern)
    return pattern[: found.start()] if found else pattern


def matcher(pattern: str, *, field: str) -> Matches:
    """Whether a whole key matches: ``*``, ``?`` and ``[a-z]`` within a folder, ``**`` across folders.

    Raises:
        RequestError: a set that is none (``[z-a]``); ``field`` is where the pattern was written.
    """
    try:
        expression = re.compile("".join(map(_expression, _TOKENS.finditer(pattern))), re.DOTALL)
    except re.error as error:
        raise RequestError(field, pattern, f"is no glob: {error}", "Write sets as [abc] or [a-z].") from error
    return lambda key: expression.fullmatch(key) is not None


def any_of(patterns: tuple[str, ...], *, field: str) -> Matches:
    """Whether a key matches one of ``patterns``; one without a slash speaks of the name, in whatever folder."""
    tests = [matcher(pattern, field=field) if "/" in pattern else _of_name(pattern, field) for pattern in patterns]
    return lambda key: any(matches(key) for matches in tests)


def _of_name(pattern: str, field: str) -> Matches:
    matches = matcher(pattern, field=field)
    return lambda key: matches(key.rpartition("/")[2])


def _expression(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "folders":
            return "(?:.*/)?"
        case "all":
            return ".*"
        case "some":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            return f"(?!/)[{_members(token['set'])}]"
        case _:
            return re.escape(token[0])


def _members(text: str) -> str:
    """The inside of a set, for ``re``: its ranges stay, everything else that has a meaning there loses it."""
    negated = text[0] in "!^"
    members = re.sub(r"[\\\[\]^&~|]", r"\\\g<0>", text[negated:])
    return "^" * negated + members
