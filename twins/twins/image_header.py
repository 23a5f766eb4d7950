"""What a file claims to be, read from its first bytes: format and size, before a decoder allocates anything.

Covers the six formats that :mod:`twins.preprocess` admits. The parsers follow the decoders' own rules (the first
SOF of a JPEG, the IHDR of a PNG, the first directory of a TIFF), so that a file cannot show one size to the limit
and another to the decoder.
"""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from twins import tiff

MAX_PARTS = 1 << 16
"""Segments before a JPEG's frame header, chunks of a PNG: each takes a step here, and cameras write dozens."""

MAX_HEAD_BYTES = 1 << 26
"""Where a JPEG's frame header is looked for."""

Code = str
"""``not_an_image``, ``truncated``, ``too_large`` or ``unsupported``: closed, and part of the output's contract."""


class Undecodable(Exception):
    """A file that gives no picture. ``code`` is one of four (see ``Code``), ``detail`` a sentence for a person."""

    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(code, detail)
        self.code, self.detail = code, detail

    def __str__(self) -> str:
        return f"{self.code}: {self.detail}"


@dataclass(frozen=True)
class Header:
    """A claim, not a fact: ``width`` and ``height`` in pixels, before any orientation is applied."""

    format: str
    width: int
    height: int
    buffer_bytes: int = 0
    """The largest working buffer that the file asks its decoder for beside the picture, where it can ask."""
    least_bytes: int = 0
    """What a whole file of that size takes at the very least, where its coding has such a bound."""
    passes: int = 1
    """How often the decoder walks over the whole picture (scans of a JPEG)."""

    def __str__(self) -> str:
        return f"a {self.format} of {self.width} x {self.height} pixels"


def read(data: bytes) -> Header:
    """The header of an image file; its first bytes decide the format, its name plays no part.

    Raises:
        Undecodable: ``not_an_image``, ``truncated`` within the header, or ``unsupported`` (a format left out).
    """
    for magic, parse in _FORMATS.items():
        if data.startswith(magic):
            return _parsed(parse, data)
    raise _stranger(data)


def _parsed(parse: "Parser", data: bytes) -> Header:
    try:
        header = parse(data)
    except struct.error as short:
        raise Undecodable("truncated", f"the file ends within its header, after {len(data)} bytes") from short
    if header.width < 1 or header.height < 1:
        raise Undecodable("not_an_image", f"a {header.format} header that claims {header.width} x {header.height}")
    return header


def _stranger(data: bytes) -> Undecodable:
    if not data:
        return Undecodable("truncated", "the file is empty")
    if any(magic.startswith(data) for magic in _FORMATS):
        return Undecodable("truncated", f"the file ends within its signature, after {len(data)} bytes")
    for magic, name in _LEFT_OUT.items():
        if data.startswith(magic) or data[4:].startswith(magic):
            return Undecodable("unsupported", f"{name} is not among JPEG, PNG, WebP, BMP, GIF and TIFF")
    return Undecodable("not_an_image", f"starts with {data[:8].hex(' ')}, the signature of no image format")


def _jpeg(data: bytes) -> Header:
    """ITU T.81 annex B: segments up to the first start-of-frame."""
    at = 2
    for _ in range(MAX_PARTS):
        found = _JPEG_MARKER.search(data, at, MAX_HEAD_BYTES)
        if not found:
            end = min(len(data), MAX_HEAD_BYTES)
            raise Undecodable("truncated", f"a JPEG without a frame header in its first {end} bytes")
        at, marker = found.end(), data[found.end() - 1]
        if marker in _SOF:
            return _jpeg_frame(data, at - 1)
        if marker in (0xD9, 0xDA):
            raise Undecodable("not_an_image", "a JPEG without a frame header")
        (length,) = struct.unpack_from(">H", data, at)
        at += max(length, 2)
    raise Undecodable("too_large", f"a JPEG with {MAX_PARTS} segments before its frame header")


def _jpeg_frame(data: bytes, at: int) -> Header:
    height, width, components = struct.unpack_from(">HHB", data, at + 4)
    if data.rfind(b"\xff\xd9") < at:  # a decoder would make a picture of whatever else follows
        raise Undecodable("truncated", "a JPEG without an end of image")
    scan = data.find(b"\xff\xda", at)
    (scanned,) = struct.unpack_from("B", data, scan + 4)
    one_scan = data[at] not in _PROGRESSIVE and scanned == components
    passes = 1 if one_scan else data.count(b"\xff\xda", at)
    least_bytes = width * height // (64 * 8) if data[at] in _HUFFMAN else 0  # a bit for each block of 8 x 8
    return Header("JPEG", width, height, passes=passes, least_bytes=least_bytes)


_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_HUFFMAN = frozenset({0xC0, 0xC1, 0xC2})
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_JPEG_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]")
"""Of a segment: neither one that stands alone, nor a byte that fills."""


def _png(data: bytes) -> Header:
    """PNG, third edition: IHDR is the first chunk, IEND the last, and each says how long it is.

    All are looked at, since OpenCV makes room for what a chunk says before it looks whether that is there.
    """
    kind, width, height, depth, colour = struct.unpack_from(">4sIIBB", data, 12)
    if kind != b"IHDR":
        raise Undecodable("not_an_image", "a PNG whose first chunk is not IHDR")
    _png_end(data)
    row_bytes = 1 + width * depth * _PNG_CHANNELS.get(colour, 1) // 8
    return Header("PNG", width, height, least_bytes=height * row_bytes // 1032)  # deflate's best


def _png_end(data: bytes) -> None:
    at = 8
    for _ in range(MAX_PARTS):
        length, kind = struct.unpack_from(">I4s", data, at)
        at += 12 + length
        if at > len(data):
            raise Undecodable("truncated", f"a PNG that ends within a chunk, after {len(data)} bytes")
        if kind == b"IEND":
            return
    raise Undecodable("too_large", f"a PNG of more than {MAX_PARTS} chunks")


_PNG_CHANNELS = MappingProxyType({0: 1, 2: 3, 3: 1, 4: 2, 6: 4})


def _gif(data: bytes) -> Header:
    width, height = struct.unpack_from("<HH", data, 6)
    return Header("GIF", width, height)


def _bmp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 14)
    if size not in _BMP_HEADERS:
        raise Undecodable("not_an_image", f"starts like a BMP, but has no header of {size} bytes")
    width, height = struct.unpack_from("<HH" if size == 12 else "<ii", data, 18)
    return Header("BMP", width, abs(height))  # a negative height: rows from the top


_BMP_HEADERS = frozenset({12, 16, 40, 52, 56, 64, 108, 124})


def _riff(data: bytes) -> Header:
    """RFC 9649: the canvas of VP8X, else the one frame."""
    form, chunk = struct.unpack_from("<4s4s", data, 8)
    if form != b"WEBP":
        raise Undecodable("not_an_image", "a RIFF file that is no WebP")
    if chunk == b"VP8X":
        flags, low_w, high_w, low_h, high_h = struct.unpack_from("<B3xHBHB", data, 20)
        width, height = (low_w | high_w << 16) + 1, (low_h | high_h << 16) + 1
        return Header("WebP", width, height, buffer_bytes=8 * width * height if flags & _ANIMATED else 0)
    if chunk == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return Header("WebP", (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1)
    if chunk == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return Header("WebP", width & 0x3FFF, height & 0x3FFF)
    raise Undecodable("not_an_image", "a WebP without a picture")


_ANIMATED = 0x02  # two canvases with alpha


def _tiff(data: bytes) -> Header:
    """TIFF 6.0: the first directory's tags that size a buffer.

    A tag that comes twice, or of another kind than the standard has it, is read by some as this and by some as that.
    """
    entries = tiff.directory(data)
    if len({entry.tag for entry in entries}) != len(entries):
        raise Undecodable("unsupported", "a TIFF that has a tag twice")
    tags = {entry.tag: _tiff_number(data, entry) for entry in entries if entry.tag in _TIFF_SIZING}
    if 256 not in tags or 257 not in tags:
        raise Undecodable("not_an_image", "a TIFF whose first directory has no size")
    width, height = tags[256], tags[257]
    pixel_bytes = tags.get(277, 1) * -(-tags.get(258, 1) // 8)
    rows = tags.get(323, min(tags.get(278, height), height))
    return Header("TIFF", width, height, buffer_bytes=pixel_bytes * max(width * height, tags.get(322, width) * rows))


def _tiff_number(data: bytes, entry: tiff.Entry) -> int:
    """The first value: BitsPerSample has one a sample."""
    values = tiff.values(data, entry)
    if not values:
        raise Undecodable("unsupported", f"a TIFF whose tag {entry.tag} is no number")
    return values[0]


_TIFF_SIZING = frozenset({256, 257, 258, 277, 278, 322, 323})


Parser = Callable[[bytes], Header]

_FORMATS: Mapping[bytes, Parser] = MappingProxyType(
    {
        b"\xff\xd8\xff": _jpeg,
        b"\x89PNG\r\n\x1a\n": _png,
        b"RIFF": _riff,
        b"GIF87a": _gif,
        b"GIF89a": _gif,
        b"II*\0": _tiff,
        b"MM\0*": _tiff,
        b"BM": _bmp,
    }
)

_LEFT_OUT: Mapping[bytes, str] = MappingProxyType(
    {
        b"ftypavif": "AVIF",
        b"ftypavis": "AVIF",
        b"ftyphei": "HEIC",
        b"ftypmif1": "HEIF",
        b"\xff\x0a": "JPEG XL",
        b"JXL ": "JPEG XL",
        b"jP  ": "JPEG 2000",
        b"\xff\x4f\xff\x51": "JPEG 2000",
        b"II+\0": "BigTIFF",
        b"MM\0+": "BigTIFF",
        b"8BPS": "Photoshop",
        b"v/1\x01": "OpenEXR",
        b"#?RADIANCE": "Radiance HDR",
        b"DDS ": "DirectDraw Surface",
        b"\0\0\x01\0": "an icon",
        b"%PDF": "PDF",
        b"<svg": "SVG",
    }
)
