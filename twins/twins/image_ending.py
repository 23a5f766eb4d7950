"""Whether an image file that its decoder refused lacks its end: what tells *truncated* from *damaged*."""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from twins import tiff


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
    tags = {entry.tag: tiff.values(data, entry) for entry in tiff.directory(data)}
    starts, lengths = tags.get(273, tags.get(324, ())), tags.get(279, tags.get(325, ()))
    return all(start + length <= len(data) for start, length in zip(starts, lengths, strict=False))


_ENDS: Mapping[str, Callable[[bytes], bool]] = MappingProxyType(
    {"JPEG": _jpeg, "GIF": _gif, "WebP": _riff, "BMP": _bmp, "TIFF": _tiff}
)
