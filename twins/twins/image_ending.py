"""Whether an image file that its decoder refused lacks its end: what tells *truncated* from *damaged*."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType


def lacking(format_name: str, data: bytes) -> bool:
    """Whether ``data``, which starts as a file of that format, ends before that format says it does."""
    try:
        return format_name in _ENDS and not _ENDS[format_name](data)
    except struct.error:
        return True


def _jpeg(data: bytes) -> bool:
    return data.rstrip(b"\0").endswith(b"\xff\xd9")  # cameras pad with zeros


def _gif(data: bytes) -> bool:
    return data.rstrip(b"\0").endswith(b";")


def _riff(data: bytes) -> bool:
    return len(data) >= 8 + int(struct.unpack_from("<I", data, 4)[0])


def _bmp(data: bytes) -> bool:
    return len(data) >= int(struct.unpack_from("<I", data, 2)[0])


def _tiff(data: bytes) -> bool:
    """All that the first directory points to, and every strip or tile, lies within the file."""
    order = "<" if data.startswith(b"II") else ">"
    (directory,) = struct.unpack_from(order + "I", data, 4)
    (entries,) = struct.unpack_from(order + "H", data, directory)
    tags = dict(_tag(data, directory + 2 + 12 * entry, order) for entry in range(entries))
    starts, lengths = tags.get(273, tags.get(324, ())), tags.get(279, tags.get(325, ()))
    return all(start + length <= len(data) for start, length in zip(starts, lengths, strict=False))


def _tag(data: bytes, at: int, order: str) -> tuple[int, tuple[int, ...]]:
    """A tag and its values, of the kinds that count or point; raises where they lie beyond the end."""
    tag, kind, count = struct.unpack_from(order + "HHI", data, at)
    size = count * _TIFF_SIZES.get(kind, 1)
    where = at + 8 if size <= 4 else struct.unpack_from(order + "I", data, at + 8)[0]
    if where + size > len(data):
        raise struct.error
    return tag, struct.unpack_from(f"{order}{count}{_TIFF_NUMBERS[kind]}", data, where) if kind in _TIFF_NUMBERS else ()


_TIFF_SIZES = MappingProxyType({3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8})
_TIFF_NUMBERS = MappingProxyType({3: "H", 4: "I"})

_ENDS: Mapping[str, Callable[[bytes], bool]] = MappingProxyType(
    {"JPEG": _jpeg, "GIF": _gif, "WebP": _riff, "BMP": _bmp, "TIFF": _tiff}
)
