"""From ``spec.input`` to rows, on folders and on a real S3 server."""

import io
import os
import tarfile
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from s3_server import S3Server

from twins.errors import RequestError
from twins_worker import listing
from twins_worker.listing import Skipped
from twins_worker.settings import Input, Job, Model, Output, Storage
from twins_worker.storage import Place, Reader, open_place


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        return open_place(f"{tmp_path}/in", Storage())
    return open_place(request.getfixturevalue("bucket") + "in/", request.getfixturevalue("s3_server").storage)


@pytest.fixture
def storage(place: Place, request: pytest.FixtureRequest) -> Storage:
    server: S3Server | None = request.getfixturevalue("s3_server") if place.root.startswith("s3:") else None
    return server.storage if server else Storage()


def job(uri: str, storage: Storage, output: str = "/nowhere", **asked: object) -> Job:
    return Job(
        model=Model(name="alt_gvt_small"), input=Input(uri=uri, **asked), output=Output(uri=output), storage=storage
    )


def fill(place: Place, keys: Iterable[str]) -> None:
    for key in keys:
        place.put(key, key.encode())


def rows(place: Place, asked: Job) -> list[str]:
    return [row.uri.removeprefix(place.root) for row in listing.images(asked)]


def skipped(asked: Job) -> list[Skipped]:
    return [entry for entry in listing.entries(asked) if isinstance(entry, Skipped)]


TREE = [
    "a/1.jpg",
    "a/2.png",
    "a/_SUCCESS",
    "a/b/3.jpg",
    "a/notes.txt",
    ".hidden/4.jpg",
    "_temporary/5.jpg",
    "c.jpg",
    "d/._6.jpg",
]


@pytest.mark.parametrize(
    ("uri", "asked", "expected"),
    [
        pytest.param("", {}, ["a/1.jpg", "a/2.png", "a/b/3.jpg", "a/notes.txt", "c.jpg"], id="a prefix"),
        pytest.param("a", {}, ["a/1.jpg", "a/2.png", "a/b/3.jpg", "a/notes.txt"], id="a prefix without its slash"),
        pytest.param("_temporary/", {}, ["_temporary/5.jpg"], id="a hidden prefix that is named"),
        pytest.param("c.jpg", {}, ["c.jpg"], id="one object"),
        pytest.param("d/._6.jpg", {}, ["d/._6.jpg"], id="one hidden object that is named"),
        pytest.param("a/*.jpg", {}, ["a/1.jpg"], id="a glob"),
        pytest.param("*/*.[jp][pn]g", {}, ["a/1.jpg", "a/2.png"], id="a glob of folders"),
        pytest.param("**/?.jpg", {}, ["a/1.jpg", "a/b/3.jpg", "c.jpg"], id="a glob across folders"),
        pytest.param("", {"include": ["*.jpg"]}, ["a/1.jpg", "a/b/3.jpg", "c.jpg"], id="names that are included"),
        pytest.param("", {"include": ["a/*"], "exclude": ["*.txt"]}, ["a/1.jpg", "a/2.png"], id="included, excluded"),
        pytest.param("", {"limit": 2}, ["a/1.jpg", "a/2.png"], id="the first two"),
        pytest.param("", {"include": ["*.jpg"], "limit": 2}, ["a/1.jpg", "a/b/3.jpg"], id="the first two of those"),
    ],
)
def test_rows(place: Place, storage: Storage, uri: str, asked: dict[str, object], expected: list[str]) -> None:
    fill(place, TREE)
    assert rows(place, job(place.root + uri, storage, **asked)) == expected


def test_a_row_tells_where_how_much_and_which(place: Place, storage: Storage) -> None:
    fill(place, ["a b.jpg"])
    (row,) = listing.images(job(place.root, storage))
    (found,) = place.list()
    assert (row.uri, row.object, row.offset, row.bytes, row.etag) == (place.uri("a b.jpg"), None, None, 7, found.etag)
    assert Reader(storage).get(row.uri, etag=row.etag) == b"a b.jpg"


def test_what_is_passed_over_is_told(place: Place, storage: Storage) -> None:
    fill(place, TREE)
    assert skipped(job(place.root, storage, exclude=["*.txt"])) == [
        Skipped.HIDDEN,
        Skipped.HIDDEN,
        Skipped.HIDDEN,
        Skipped.FILTERED,
        Skipped.HIDDEN,
    ]


def test_an_output_within_the_input_is_no_input(place: Place, storage: Storage) -> None:
    fill(place, ["1.jpg", "out/data/part.parquet", "outer.jpg"])
    within = job(place.root, storage, output=f"{place.root}out")
    assert rows(place, within) == ["1.jpg", "outer.jpg"]
    assert skipped(within) == [Skipped.OUTPUT]


def test_a_literal_name_comes_before_a_glob(place: Place, storage: Storage) -> None:
    fill(place, ["img[1].jpg", "img1.jpg"])
    assert [row.bytes for row in listing.images(job(place.root + "img[1].jpg", storage))] == [10]


def test_folders_that_consoles_make_are_no_objects(s3_server: S3Server, bucket: str) -> None:
    name = bucket.split("/")[2]
    for key, body in {"in/": b"", "in/a/": b"", "in/a/1.jpg": b"1"}.items():
        s3_server.client.put_object(Bucket=name, Key=key, Body=body)
    asked = job(f"{bucket}in/", s3_server.storage)
    assert [row.uri for row in listing.images(asked)] == [f"{bucket}in/a/1.jpg"]
    assert skipped(asked) == []


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("s3://missing-bucket/in/", "NoSuchBucket"),
        ("s3://", "names no bucket"),
        ("ftp://host/in/", "scheme, 'ftp', that is not known"),
        ("pvc://claim/in", "volume of a cluster"),
        ("https://host/in/", "a web server cannot be listed"),
        ("file://elsewhere/in", "names another host"),
    ],
)
def test_an_input_that_cannot_work_is_refused(
    s3_server: S3Server, s3_credentials: None, uri: str, problem: str
) -> None:
    with pytest.raises(RequestError, match=problem) as refused:
        list(listing.entries(job(uri, s3_server.storage)))
    assert (refused.value.field, refused.value.value) == ("input.uri", uri)


# Tars


def tar(members: Mapping[str, bytes], dialect: int = tarfile.PAX_FORMAT, **odd: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=dialect) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, kind in odd.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "000.jpg"
            archive.addfile(info)
    return file.getvalue()


LONG = "long/" * 60 + "name.jpg"
MEMBERS = {
    "000.jpg": b"zero",
    "0.cls": b"7",
    "./1.PNG": b"one" * 1000,
    LONG: b"long",
    "größe.jpg": b"wide",
    "e.jpg": b"",
}
IMAGES = ["000.jpg", "1.PNG", LONG, "größe.jpg", "e.jpg"]


@pytest.mark.parametrize("dialect", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=["pax", "gnu"])
def test_a_tars_members_are_rows_that_can_be_read(place: Place, storage: Storage, dialect: int) -> None:
    place.put("x.tar", tar(MEMBERS, dialect))
    found = list(listing.images(job(place.root + "x.tar", storage)))
    assert [row.uri for row in found] == [f"{place.root}x.tar#{name}" for name in IMAGES]
    read = Reader(storage)
    assert [
        read.get(row.object or "", etag=row.etag, range=(row.offset or 0, (row.offset or 0) + (row.bytes or 0)))
        for row in found
    ] == [b"zero", b"one" * 1000, b"long", b"wide", b""]


def test_tars_and_images_of_a_prefix_keep_their_order(place: Place, storage: Storage) -> None:
    for number in range(40):
        place.put(f"{number:02}.tar", tar({f"{member}.jpg": b"1" for member in range(3)}))
    place.put("20.jpg", b"1")
    place.put("index.json", b"1")
    of_tars = [[f"{number:02}.tar#{member}.jpg" for member in range(3)] for number in range(40)]
    expected = [*chain(*of_tars[:20]), "20.jpg", *chain(*of_tars[20:]), "index.json"]
    assert rows(place, job(place.root, storage)) == expected
    assert rows(place, job(place.root, storage, format="tar")) == [*chain(*of_tars)]
    assert skipped(job(place.root, storage, format="tar")) == [Skipped.NOT_ASKED] * 2


def test_a_long_tar_is_indexed_in_blocks(tmp_path: Path) -> None:
    members = {f"{number:04}.jpg": os.urandom(1000 + 977 * number % 400_000) for number in range(50)}
    (tmp_path / "x.tar").write_bytes(tar(members))
    with (tmp_path / "x.tar").open("rb") as file:
        for row in listing.images(job(f"{tmp_path}/x.tar", Storage())):
            file.seek(row.offset or 0)
            assert file.read(row.bytes or 0) == members.pop(row.uri.partition("#")[2])
    assert members == {}


def test_what_is_no_file_in_a_tar_is_skipped(tmp_path: Path) -> None:
    odd = {"link.jpg": tarfile.SYMTYPE, "hard.jpg": tarfile.LNKTYPE, "pipe": tarfile.FIFOTYPE, "dir": tarfile.DIRTYPE}
    files = dict.fromkeys(["000.jpg", "../up.jpg", "/root.jpg", "._a.jpg"], b"1")
    (tmp_path / "x.tar").write_bytes(tar(files, **odd))
    asked = job(f"{tmp_path}/x.tar", Storage())
    assert len(list(listing.images(asked))) == 1
    assert skipped(asked) == [*[Skipped.NO_FILE] * 2, Skipped.HIDDEN, *[Skipped.NO_FILE] * 3]


def test_include_and_exclude_are_about_a_tars_members(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(tar({"a/1.jpg": b"1", "a/1.cls": b"1", "b/2.jpg": b"1"}))
    asked = job(str(tmp_path), Storage(), include=["*.jpg", "*.cls"], exclude=["b/*"])
    assert [row.uri.partition("#")[2] for row in listing.images(asked)] == ["a/1.jpg", "a/1.cls"]


WHOLE_TAR = tar({f"{number}.jpg": bytes(2000) for number in range(3)})


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"\x1f\x8b\x08\x00 and so on", r"compressed \(gzip\).*Decompress it", id="compressed"),
        pytest.param(b"", "damaged tar: empty file", id="empty"),
        pytest.param(b"no tar at all" * 100, "damaged tar", id="something else"),
        pytest.param(WHOLE_TAR[:4000], "damaged tar: it ends within 1.jpg", id="cut in a member"),
        pytest.param(WHOLE_TAR[:2800], "damaged tar", id="cut in a header"),
        pytest.param(WHOLE_TAR[:2560] + b"x" * 512 + WHOLE_TAR[3072:], "damaged tar", id="overwritten in the middle"),
    ],
)
def test_a_tar_that_cannot_be_read_through_is_refused(tmp_path: Path, data: bytes, problem: str) -> None:
    (tmp_path / "x.tar").write_bytes(data)
    with pytest.raises(RequestError, match=rf"x.tar' is .*{problem}"):
        list(listing.entries(job(str(tmp_path), Storage())))


def header(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0) -> bytes:
    """Of a member; a negative size as GNU writes it."""
    info = tarfile.TarInfo(name)
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


def pax(**said: str) -> bytes:
    """A header about the next member."""
    lines = b"".join(_line(f"{name}={value}\n") for name, value in said.items())
    return header("pax", tarfile.XHDTYPE, len(lines)) + lines.ljust(512, b"\0")


def _line(text: str) -> bytes:
    size = len(text) + 1
    while len(f"{size} {text}") != size:
        size += 1
    return f"{size} {text}".encode()


GOOD = header("0.jpg", size=3) + b"abc".ljust(512, b"\0")


@pytest.mark.parametrize("before", [b"", GOOD], ids=["first", "later"])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(header("1.jpg", size=-512), "1.jpg has an impossible size", id="back to itself"),
        pytest.param(header("1.jpg", size=-1536), "1.jpg has an impossible size", id="back to the start"),
        pytest.param(pax(size="-1024") + header("1.jpg"), "1.jpg has an impossible size", id="back, says pax"),
        pytest.param(header("x", tarfile.XHDTYPE, 2**33), f"a header has {2**33} bytes", id="a huge pax header"),
        pytest.param(header("x", tarfile.GNUTYPE_LONGNAME, 2**33), f"a header has {2**33} bytes", id="a huge name"),
        pytest.param(header("x", tarfile.GNUTYPE_LONGLINK, -512), "a header has -512 bytes", id="a name of less"),
        pytest.param(pax(path="a.jpg") * 2000 + GOOD, "a member has more than 8 headers", id="headers without end"),
        pytest.param(
            pax(**{"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}) + header("1.jpg", size=512) + b"9" * 512,
            "is a damaged tar",
            id="a sparse file without its map",
        ),
    ],
)
def test_a_tar_that_lies_about_sizes_ends(tmp_path: Path, before: bytes, data: bytes, problem: str) -> None:
    (tmp_path / "x.tar").write_bytes(before + data + bytes(1024))
    with pytest.raises(RequestError, match=problem):
        list(listing.entries(job(f"{tmp_path}/x.tar", Storage())))


def test_the_members_of_one_tar_come_as_they_are_found(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(GOOD + bytes(512 - 1) + b"x")
    found = listing.images(job(f"{tmp_path}/x.tar", Storage()))
    assert next(found).uri.endswith("x.tar#0.jpg")
    with pytest.raises(RequestError, match="damaged tar"):
        next(found)


def test_a_tar_without_its_end_marker_is_whole(tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(
        WHOLE_TAR.rstrip(b"\0") + bytes(2048 + 512 - len(WHOLE_TAR.rstrip(b"\0")) % 512)[:0]
    )
    (tmp_path / "x.tar").write_bytes(WHOLE_TAR[: 3 * 2560])
    assert len(list(listing.images(job(f"{tmp_path}/x.tar", Storage())))) == 3


# Manifests


def parquet(**columns: list[object]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, row_group_size=2)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param(
            "m.txt", b"# pictures\n\n1.jpg\r\n  sub/2 b.jpg\n\nhttps://host/3.jpg?x=%20y\ns3://bkt/a%20b/4\n", id="text"
        ),
        pytest.param(
            "m.csv",
            '\ufefflabel,uri\n7,1.jpg\n8,"sub/2 b.jpg"\n\n9,https://host/3.jpg?x=%20y\n0,s3://bkt/a%20b/4\n'.encode(),
            id="CSV",
        ),
        pytest.param(
            "m.parquet",
            parquet(label=[7, 8, 9, 0], uri=["1.jpg", "sub/2 b.jpg", "https://host/3.jpg?x=%20y", "s3://bkt/a%20b/4"]),
            id="Parquet",
        ),
    ],
)
@pytest.mark.parametrize("form", ["auto", "manifest"])
def test_a_manifests_rows(place: Place, storage: Storage, name: str, data: bytes, form: str) -> None:
    place.put(f"lists/{name}", data)
    beside = place.below("lists")
    found = list(listing.entries(job(place.root + f"lists/{name}", storage, format=form)))
    assert found == [
        listing.Row(uri, None, None, None, None)
        for uri in [beside.uri("1.jpg"), beside.uri("sub/2 b.jpg"), "https://host/3.jpg?x=%20y", "s3://bkt/a%20b/4"]
    ]


def test_a_manifest_may_tell_sizes_and_etags(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('uri,bytes,etag\ns3://bkt/1,10,"""abc"""\ns3://bkt/2,,\n')
    found = list(listing.images(job(f"{tmp_path}/m.csv", Storage())))
    assert [(row.bytes, row.etag) for row in found] == [(10, "abc"), (None, None)]


def test_a_local_manifest_may_name_files_anywhere(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists/m.txt").write_text(f"../a b.jpg\n{tmp_path}/c.jpg\n{(tmp_path / 'd e.jpg').as_uri()}\n")
    found = [row.uri for row in listing.images(job(f"{tmp_path}/lists/m.txt", Storage()))]
    assert found == [(tmp_path / name).as_uri() for name in ("a b.jpg", "c.jpg", "d e.jpg")]


def test_a_folder_of_manifests_is_read_in_order(tmp_path: Path) -> None:
    (tmp_path / "part-0.csv").write_text("uri\ns3://bkt/1\n")
    (tmp_path / "part-1.txt").write_text("s3://bkt/2\n")
    (tmp_path / "readme.md").write_text("none")
    asked = job(str(tmp_path), Storage(), format="manifest")
    assert list(listing.entries(asked))[-1] == Skipped.NOT_ASKED
    assert [row.uri for row in listing.images(asked)] == ["s3://bkt/1", "s3://bkt/2"]


def test_what_is_no_url_is_a_row_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("http://[::1/a.jpg\nhttp://host:port/b.jpg\n")
    asked = job(f"{tmp_path}/m.txt", Storage(), include=["*.jpg"])
    assert [row.uri for row in listing.images(asked)] == ["http://[::1/a.jpg", "http://host:port/b.jpg"]


def test_include_is_about_a_manifests_keys(tmp_path: Path) -> None:
    (tmp_path / "m.txt").write_text("s3://bkt/_a/1.jpg\ns3://bkt/b/2.png\n")
    asked = job(f"{tmp_path}/m.txt", Storage(), include=["*.jpg"])
    assert [row.uri for row in listing.images(asked)] == ["s3://bkt/_a/1.jpg"]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("m.csv", b"url,label\na,b\n", "has no column 'uri' among url, label"),
        ("m.csv", b'"' + b"a\n" * 70_000, "line .* is no CSV: field larger than field limit"),
        ("m.csv", b"x," * 10_000, "has no column 'uri' among x, [x, ]{,198}\\. A"),
        ("m.txt", b"s3://b ad/../x\n", "line 1, 's3://b ad/../x', names no bucket"),
        ("m.csv", b"", "has no column 'uri'"),
        ("m.csv", b"label,uri\n1,a.jpg\n2\n", "line 3 has no URI"),
        ("m.csv", b"uri,bytes\na.jpg,many\n", "line 2 has bytes 'many'"),
        ("m.txt", b"a.jpg\nftp://host/b.jpg\n", "line 2, 'ftp://host/b.jpg', has a scheme"),
        ("m.txt", b"a.jpg\n\xff\xfe\n", "is no text"),
        ("m.txt", b"a" * 70_000, "line 1 is longer than"),
        ("m.parquet", b"no parquet", "cannot be read as Parquet"),
        ("m.parquet", b"PAR1 but then nothing", "cannot be read as Parquet"),
        ("m.parquet", parquet(url=["a"]), "has no column 'uri' among url"),
        ("m.parquet", parquet(uri=["a", None, "c"]), "row 2 has no URI"),
        ("m.parquet", parquet(uri=[1, 2]), "row 1 has no URI"),
    ],
)
def test_a_manifest_that_is_wrong_is_refused_by_its_row(tmp_path: Path, name: str, data: bytes, problem: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(RequestError, match=problem) as refused:
        list(listing.entries(job(f"{tmp_path}/{name}", Storage())))
    assert refused.value.field == "input.uri"
    assert refused.value.value == (tmp_path / name).as_uri()


@pytest.mark.parametrize("line", ["/etc/passwd", "file:///etc/passwd", "../up.jpg", "a/../../up.jpg"])
def test_a_manifest_in_a_bucket_names_no_files_and_nothing_above(s3_server: S3Server, bucket: str, line: str) -> None:
    open_place(bucket, s3_server.storage).put("m.txt", f"fine.jpg\n{line}\n".encode())
    with pytest.raises(RequestError, match="line 2, "):
        list(listing.entries(job(f"{bucket}m.txt", s3_server.storage)))
