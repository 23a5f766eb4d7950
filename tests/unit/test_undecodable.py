"""Files that give no picture: each has one code, none costs memory, none becomes a grey picture."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pictures import encoded, files, photograph
from PIL import Image

from twins import preprocess
from twins.preprocess import Undecodable

FILES = files(photograph("chelsea", (150, 100)))
GOES_ON = {"LZW TIFF", "deflated TIFF", "JPEG in TIFF", "TIFF of many pages"}
"""Cut after their first picture, it is whole."""


def code_of(data: bytes, **limits: int) -> str | None:
    try:
        preprocess.read(data, **limits)
    except Undecodable as refusal:
        return refusal.code
    return None


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *, body: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def tiff(**tags: int) -> bytes:
    """A little-endian TIFF of nothing but a directory."""
    return tiff_of(*sorted((TIFF_TAGS[name], 4, 1, value) for name, value in tags.items()))


def tiff_of(*entries: tuple[int, int, int, int]) -> bytes:
    """As ``tiff``, of entries as they are written: tag, kind, count, value or where it is."""
    directory = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(64)


def tiff_of_two_sizes() -> bytes:
    """A TIFF of 64 x 64 pixels, whose width comes again as 8."""
    whole = encoded(Image.new("L", (64, 64)), "TIFF")
    (start,) = struct.unpack_from("<I", whole, 4)
    (entries,) = struct.unpack_from("<H", whole, start)
    directory = whole[start + 2 : start + 2 + 12 * entries] + struct.pack("<HHII", 256, 4, 1, 8)
    moved = struct.pack("<I", len(whole))
    return whole[:4] + moved + whole[8:] + struct.pack("<H", entries + 1) + directory + bytes(4)


TIFF_TAGS = {"width": 256, "height": 257, "bits": 258, "samples": 277, "tile_width": 322, "tile_height": 323}


def gif(width: int, height: int) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6) + b";"


def bmp(width: int, height: int) -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)


def vp8x(width: int, height: int, flags: int = 0) -> bytes:
    size = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<II", 10, flags) + size


def resized(data: bytes, width: int, height: int) -> bytes:
    """A baseline JPEG that claims another size."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def scans(data: bytes, count: int) -> bytes:
    """A progressive JPEG whose last scan is asked for ``count`` times more."""
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :]


VAST_CHUNK = struct.pack(">I4s", 2**31 - 1, b"tEXt")
VAST_TILE = tiff(width=64, height=64, tile_width=2**16, tile_height=2**16)
CODES = {"not_an_image", "truncated", "too_large", "unsupported", None}
JPEG, PNG = FILES["baseline JPEG"], FILES["PNG"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        pytest.param(b"", "truncated", id="an empty file"),
        pytest.param(b"\xff\xd8", "truncated", id="two bytes of a JPEG"),
        pytest.param(b"a line of text, not a picture", "not_an_image", id="text named .jpg"),
        pytest.param(b"<!doctype html><title>403</title>", "not_an_image", id="an error page named .jpg"),
        pytest.param(bytes(5000), "not_an_image", id="zeros"),
        pytest.param(b"\xff\xd8\xff\xd9", "not_an_image", id="a JPEG of nothing but its ends"),
        pytest.param(b"\xff\xd8\xff\xe0" + bytes(200), "truncated", id="a JPEG that ends before its frame"),
        pytest.param(b"RIFF\x24\0\0\0WAVEfmt " + bytes(40), "not_an_image", id="a sound"),
        pytest.param(b"\0\0\0\x1cftypavif" + bytes(40), "unsupported", id="AVIF"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(40), "unsupported", id="JPEG 2000"),
        pytest.param(b"II+\0" + bytes(40), "unsupported", id="BigTIFF"),
        pytest.param(b"%PDF-1.7" + bytes(40), "unsupported", id="PDF"),
        pytest.param(damaged(PNG, PNG.index(b"IDAT") + 99), "unsupported", id="a PNG with a wrong byte in its data"),
        pytest.param(PNG[:33] + VAST_CHUNK + PNG[33:], "truncated", id="a PNG with a chunk that claims two gigabytes"),
        pytest.param(png(0, 5), "not_an_image", id="a PNG of no width"),
        pytest.param(png(11_000, 11_000), "truncated", id="a PNG whose pixels its bytes cannot hold"),
        pytest.param(resized(JPEG, 11_000, 11_000), "truncated", id="a JPEG whose pixels its bytes cannot hold"),
        pytest.param(png(20_000, 20_000), "too_large", id="a PNG that claims 400 megapixels"),
        pytest.param(png(2**31 - 1, 2**31 - 1), "too_large", id="a PNG that claims all there is"),
        pytest.param(png(2**20 + 1, 1), "too_large", id="a PNG wider than OpenCV's limit"),
        pytest.param(gif(65_535, 65_535), "too_large", id="a GIF that claims 4 gigapixels"),
        pytest.param(bmp(60_000, -60_000), "too_large", id="a BMP that claims 3.6 gigapixels, from the top"),
        pytest.param(vp8x(2**24, 2**8), "too_large", id="a WebP that claims 4 gigapixels"),
        pytest.param(vp8x(10_000, 10_000, flags=2), "too_large", id="an animated WebP of 100 megapixels"),
        pytest.param(tiff(width=60_000, height=60_000), "too_large", id="a TIFF that claims 3.6 gigapixels"),
        pytest.param(VAST_TILE, "too_large", id="a TIFF of one vast tile"),
        pytest.param(tiff(width=9000, height=9000, bits=64, samples=4), "too_large", id="a TIFF of wide pixels"),
        pytest.param(tiff_of_two_sizes(), "unsupported", id="a TIFF that has two widths"),
        pytest.param(
            tiff_of((256, 16, 1, 8), (257, 4, 1, 8)), "unsupported", id="a TIFF whose width of eight bytes is elsewhere"
        ),
        pytest.param(scans(FILES["progressive JPEG"], 200), "too_large", id="a JPEG of hundreds of scans"),
        pytest.param(JPEG[:2] + b"\xff\xe0\0\2" * 2**18 + JPEG[2:], "too_large", id="a JPEG of empty segments"),
        pytest.param(PNG[:33] + chunk(b"tEXt", b"") * 2**18 + PNG[33:], "too_large", id="a PNG of empty chunks"),
        pytest.param(JPEG[:2] + b"\xff" * 2**23, "truncated", id="nothing but a JPEG's fill bytes"),
        pytest.param(JPEG[:2] + b"\xff" * 2**23 + JPEG[2:], None, id="a JPEG with eight megabytes of fill bytes"),
        pytest.param(JPEG[:2] + b"\xff\x01" * 2**18 + JPEG[2:], None, id="a JPEG with markers that stand alone"),
    ],
)
def test_each_refusal_has_its_code(data: bytes, code: str) -> None:
    assert code_of(data) == code


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(Image.new("1", (4000, 4000)), "PNG", compress_level=9), id="a PNG of one bit a pixel"),
        pytest.param(
            encoded(Image.new("RGB", (2000, 2000)), "PNG", compress_level=9), id="a PNG of three bytes a pixel"
        ),
        pytest.param(encoded(Image.new("L", (3000, 3000)), "JPEG", optimize=True, progressive=True), id="a JPEG"),
    ],
)
def test_a_picture_of_nothing_is_no_bomb(data: bytes) -> None:
    assert code_of(data) is None


def test_the_limit_of_pixels_is_the_callers() -> None:
    assert code_of(JPEG, max_pixels=150 * 100) is None
    assert code_of(JPEG, max_pixels=150 * 100 - 1) == "too_large"


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_short_gives_no_picture_but_a_whole_one(name: str) -> None:
    data, whole = FILES[name], preprocess.crop(FILES[name])
    ends = {len(data) * part // 97 for part in range(97)} | {len(data) - short for short in (1, 2, 3, 9, 13, 21)}
    codes = {end: code_of(data[:end]) for end in sorted(ends)}
    assert set(codes.values()) <= ({"truncated", None} if name in GOES_ON else {"truncated"})
    for end in (end for end, code in codes.items() if code is None):
        np.testing.assert_array_equal(preprocess.crop(data[:end]), whole)


@pytest.mark.parametrize("name", [name for name in FILES if "JPEG" in name and name != "JPEG in TIFF"])
def test_a_jpeg_whose_tail_was_never_written_gives_no_picture(name: str) -> None:
    written = len(FILES[name]) * 2 // 3
    assert code_of(FILES[name][:written] + bytes(len(FILES[name]) - written)) == "truncated"


REFUSES_IN_LITTLE_MEMORY = """
import resource, sys
from twins import preprocess
from twins.preprocess import Undecodable
small, bomb = (open(path, "rb").read() for path in sys.argv[1:])
preprocess.crop(small)
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    preprocess.crop(bomb)
except Undecodable as refusal:
    print(refusal.code, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - used)
"""


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(png(30_000, 30_000, body=zlib.compress(bytes(90_001 * 300))), id="PNG"),
        pytest.param(PNG[:33] + VAST_CHUNK + PNG[33:], id="PNG of a vast chunk"),
        pytest.param(gif(65_535, 65_535), id="GIF"),
        pytest.param(vp8x(2**24, 2**24), id="WebP"),
        pytest.param(VAST_TILE, id="TIFF"),
        pytest.param(bmp(60_000, 60_000), id="BMP"),
        pytest.param(scans(FILES["progressive JPEG"], 5000), id="JPEG"),
    ],
)
def test_a_bomb_is_refused_before_memory_is_taken(bomb: bytes, tmp_path: Path) -> None:
    paths = tmp_path / "small", tmp_path / "bomb"
    for path, data in zip(paths, (JPEG, bomb), strict=True):
        path.write_bytes(data)
    said = subprocess.run([sys.executable, "-c", REFUSES_IN_LITTLE_MEMORY, *paths], capture_output=True, check=True)
    code, kibibytes = said.stdout.split()
    assert code in {b"too_large", b"truncated"}
    assert int(kibibytes) < 4096


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_give_a_picture_or_a_refusal(data: bytes) -> None:
    assert code_of(data) in CODES


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(FILES)), st.randoms(use_true_random=False))
def test_a_mutated_file_gives_a_picture_or_a_refusal(name: str, random: Random) -> None:
    data = bytearray(FILES[name])
    for _ in range(random.choice((1, 1, 3, 20))):
        at = random.randrange(min(len(data), random.choice((64, 700, len(data)))))
        data[at] = random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))
    assert code_of(bytes(data)) in CODES
