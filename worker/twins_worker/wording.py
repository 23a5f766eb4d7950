"""Figures and names as a person reads them."""

import re

__all__ = ["clean", "count", "duration", "flops", "percent", "rate", "shown", "size", "things"]

LONGEST_NAME = 240
"""Characters of a key or label that are shown; of a longer one, its two ends."""

_UNSHOWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""Control characters, halves of pairs, and marks that would turn the direction of what follows."""


def count(number: float) -> str:
    """``1,200,000``"""
    return f"{number:,.0f}"


def things(number: int, noun: str) -> str:
    """``1 image``, ``2,000 images``"""
    return f"{count(number)} {noun}{'' if number == 1 else 's'}"


def rate(number: float) -> str:
    """``8,912``, ``89.1`` or ``0.89``: three digits that say something."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def percent(share: float) -> str:
    """``41.0 %``; what is neither nothing nor all is never shown as that."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %" if 0 < share < 1 else f"{100 * share:.0f} %"


def duration(seconds: float) -> str:
    """``1 h 19 min``, ``4 min 3 s``, ``12.4 s`` or ``83 ms``: two units at most, and none that says nothing."""
    if seconds < 1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    if seconds < 3600:
        return _two(round(seconds), 60, "min", "s")
    return _two(round(seconds / 60), 60, "h", "min")


def _two(amount: int, each: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, each)
    return f"{whole:,} {large} {rest} {small}" if rest else f"{whole:,} {large}"


def size(number: float) -> str:
    """``84.3 GB``: decimal, as stores bill it."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} PB"


def flops(number: float) -> str:
    """``2.8 GFLOP``, ``3.1 PFLOP``"""
    for unit in ("GFLOP", "TFLOP", "PFLOP"):
        number /= 1e9 if unit == "GFLOP" else 1e3
        if number < 999.5:
            return f"{number:.3g} {unit}"
    return f"{number / 1e3:,.3g} EFLOP"


def clean(text: str) -> str:
    """``text`` that cannot disturb the text around it."""
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def shown(text: str) -> str:
    """A name, clean and at a length that can be read: of a long one, both ends."""
    safe = clean(text)
    if len(safe) <= LONGEST_NAME:
        return safe
    return f"{safe[: LONGEST_NAME * 2 // 3]} … {safe[-LONGEST_NAME // 3 :]}"
