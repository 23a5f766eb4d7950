"""What can be wrong with one image: a closed set of codes, each a value of the ``error`` column.

A failure is a value that becomes a row. What is wrong with the world (storage away, no model) is an exception.
"""

import re
from dataclasses import dataclass
from typing import Literal, get_args

Code = Literal[
    "not_found", "changed", "forbidden", "unreachable", "not_an_image", "truncated", "too_large", "unsupported"
]
CODES: tuple[Code, ...] = get_args(Code)

DETAIL_CHARACTERS = 300
"""Longest ``error_detail``: enough for a sentence, whatever a library says."""

_SIGNED_QUERY = re.compile(r"\?[^\s'\"<>]*")
_MEMORY_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


@dataclass(frozen=True)
class Failure:
    """Why one image has no prediction: one of ``CODES``, and a sentence for a person."""

    code: Code
    detail: str


def failure(code: str, detail: str) -> Failure:
    """A failure fit to be written down: ``detail`` on one line, cut, without addresses of memory or signed queries.

    Raises:
        ValueError: ``code`` is none of ``CODES``.
    """
    for known in CODES:
        if known == code:
            return Failure(known, _told(detail))
    raise ValueError(f"{code!r} is no failure code; they are {', '.join(CODES)}")


def _told(detail: str) -> str:
    """Rows are the same on every run and carry no secret: no pointers, no query strings of signed URLs."""
    safe = _MEMORY_ADDRESS.sub("0x…", _SIGNED_QUERY.sub("", detail))
    return " ".join(safe.split())[:DETAIL_CHARACTERS]
