"""The first directory of a TIFF (TIFF 6.0, section 2): what a picture's size is read from, and where its parts lie."""

import struct
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Entry:
    """One tag of a directory, and where in the file its values are."""

    tag: int
    kind: int
    count: int
    start: int
    order: str
    """``<`` or ``>``, as the file has it."""


def directory(data: bytes) -> tuple[Entry, ...]:
    """The entries of the first directory, in the file's order.

    Raises:
        struct.error: the directory lies beyond the end.
    """
    order = "<" if data.startswith(b"II") else ">"
    (start,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, start)
    return tuple(_entry(data, start + 2 + 12 * entry, order) for entry in range(entries))


def _entry(data: bytes, at: int, order: str) -> Entry:
    tag, kind, count, elsewhere = struct.unpack_from(order + "HHII", data, at)
    return Entry(tag, kind, count, at + 8 if count * _SIZES.get(kind, 1) <= 4 else elsewhere, order)


def values(data: bytes, entry: Entry) -> tuple[int, ...]:
    """The values of an entry of one of the kinds that count or point, SHORT and LONG; none of another kind's.

    Raises:
        struct.error: they lie beyond the end, of whatever kind they are.
    """
    if entry.start + entry.count * _SIZES.get(entry.kind, 1) > len(data):
        raise struct.error
    if entry.kind not in _NUMBERS:
        return ()
    return struct.unpack_from(f"{entry.order}{entry.count}{_NUMBERS[entry.kind]}", data, entry.start)


_SIZES = MappingProxyType({3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8})
_NUMBERS = MappingProxyType({3: "H", 4: "I"})
