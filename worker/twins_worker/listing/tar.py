"""The members of a tar (a WebDataset shard), found without reading their content where that is long."""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from twins.errors import RequestError
from twins_worker.listing import ranged
from twins_worker.listing.skipped import Skipped
from twins_worker.storage import Object, Place, shown_uri

IMAGES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
"""How the names of images end, unless ``input.include`` says otherwise: WebDataset keeps labels beside them."""

COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}
SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")
"""Of compressed tars."""


EXTENSIONS = {
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
}
EXTENSION_BYTES, EXTENSIONS_A_MEMBER = 2**20, 8
"""Headers that say more of the member after them (long names): how long, and how many there may be."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in a tar: ``bytes`` of it from ``offset`` on."""

    name: str
    offset: int
    bytes: int


def members(place: Place, found: Object) -> Iterator[Member | Skipped]:
    """The regular files of a tar in its order, whatever its dialect (ustar, pax, GNU).

    A folder is no file and not told of. Links, devices, sparse files, and names that lead out of the tar are skipped.

    Raises:
        RequestError: it is compressed, or no tar, or a damaged one: nothing past the damage could be found.
    """
    uri = shown_uri(place.uri(found.key))
    with ranged.opened(place, found) as file:
        _refuse_compressed(uri, file)
        try:
            _check_headers(file)
            with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
                yield from filter(None, map(_told, _members(archive, file)))
        except (tarfile.TarError, ValueError, OverflowError) as error:  # tarfile trusts the numbers of sparse maps
            remedy = "Repair it, or leave it out (input.exclude)."
            raise RequestError("input.uri", uri, f"is a damaged tar: {error}", remedy) from error


def _members(archive: tarfile.TarFile, file: io.BufferedReader) -> Iterator[tarfile.TarInfo]:
    """All members. ``TarFile.next`` would keep each, and take the first block that is no header for the end."""
    size, end = file.seek(0, io.SEEK_END), 0
    member = archive.next()
    while member is not None:
        if member.size < 0 or archive.offset <= end:  # tarfile would go round in circles
            raise tarfile.ReadError(f"{_name(member)} has an impossible size")
        end = archive.offset
        if member.offset_data + member.size > size and member.isreg():
            raise tarfile.ReadError(f"it ends within {_name(member)}")
        yield member
        file.seek(archive.offset)
        if not file.peek(1) or not file.read(tarfile.BLOCKSIZE).strip(b"\0"):
            return
        file.seek(archive.offset)
        _check_headers(file)
        member = tarfile.TarInfo.fromtarfile(archive)


def _check_headers(file: io.BufferedReader) -> None:
    """Raise unless the next member's headers are few and small; tarfile would read them whole, whatever their size."""
    start = file.tell()
    for _ in range(EXTENSIONS_A_MEMBER + 1):
        block = file.read(tarfile.BLOCKSIZE)
        if len(block) < tarfile.BLOCKSIZE or not block.strip(b"\0"):
            break
        header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        if header.type not in EXTENSIONS:
            break
        if not 0 <= header.size <= EXTENSION_BYTES:
            raise tarfile.ReadError(f"a header has {header.size} bytes")
        file.seek(-(-header.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE, io.SEEK_CUR)
    else:
        raise tarfile.ReadError(f"a member has more than {EXTENSIONS_A_MEMBER} headers")
    file.seek(start)


def _told(member: tarfile.TarInfo) -> Member | Skipped | None:
    if member.isdir():
        return None
    name = _name(member)
    if not member.isreg() or member.issparse() or name.startswith("/") or ".." in name.split("/"):
        return Skipped.NO_FILE
    return Member(name, member.offset_data, member.size)


def _name(member: tarfile.TarInfo) -> str:
    """As text that any reader can hold: bytes that are no UTF-8 are written as escapes."""
    return member.name.encode(errors="surrogateescape").decode(errors="backslashreplace").removeprefix("./")


def _refuse_compressed(uri: str, file: io.BufferedReader) -> None:
    start = file.read(6)
    file.seek(0)
    for magic, name in COMPRESSED.items():
        if start.startswith(magic):
            problem = f"is compressed ({name}), so that its members cannot be read one by one"
            raise RequestError("input.uri", uri, problem, "Decompress it: images hardly get smaller by it.")
