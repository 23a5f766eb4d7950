"""Downloads, from a real HTTP server with moods and from a real S3."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from moody_http import Mood, MoodyServer, moody_server
from s3_server import S3Server

from twins import weights
from twins.download import Downloaded, Origin, Patience, download
from twins.errors import RequestError
from twins.registry import network
from twins.sources import Store

CONTENT = np.random.default_rng(0).bytes(3_000_000)
OTHER = np.random.default_rng(1).bytes(2_000_000)
QUICK = Patience(attempts=4, first_pause_seconds=0.01)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def server() -> Iterator[MoodyServer]:
    with moody_server(CONTENT) as moody:
        yield moody


def assert_landed(cache: Path, downloaded: Downloaded, content: bytes) -> None:
    assert downloaded.path.read_bytes() == content
    assert downloaded.digest == sha256(content)
    assert downloaded.path.name.endswith("-small.pdparams")
    assert {path.suffix for path in cache.iterdir()} == {".pdparams", ".json", ".lock"}


@pytest.mark.parametrize(
    ("moods", "content", "ranges"),
    [
        pytest.param([], CONTENT, [None], id="a good server"),
        pytest.param([Mood(drops_length=True)], CONTENT, [None], id="a server that names no length"),
        pytest.param([Mood(status=503), Mood(status=429)], CONTENT, [None] * 3, id="a busy server"),
        pytest.param(
            [Mood(cut_after=1_000_000), Mood(cut_after=500_000)],
            CONTENT,
            [None, "bytes=1000000-", "bytes=1500000-"],
            id="cut connections go on where they were",
        ),
        pytest.param([Mood(cut_after=0)] * 3, CONTENT, [None] * 4, id="cut before the first byte"),
        pytest.param(
            [Mood(cut_after=1_000_000), Mood(ignores_range=True)],
            CONTENT,
            [None, "bytes=1000000-"],
            id="a server that ignores ranges starts over",
        ),
        pytest.param(
            [Mood(cut_after=1_000_000), Mood(new_content=OTHER)],
            OTHER,
            [None, "bytes=1000000-"],
            id="an object that changed meanwhile starts over",
        ),
        pytest.param(
            [Mood(cut_after=1_000_000), Mood(new_content=OTHER, lies_about_range=True)],
            OTHER,
            [None, "bytes=1000000-", None],
            id="a part of another object is never joined to ours",
        ),
        pytest.param(
            [Mood(cut_after=1_000_000), Mood(status=416)],
            CONTENT,
            [None, "bytes=1000000-", None],
            id="a range that cannot be had starts over",
        ),
        pytest.param(
            [Mood(cut_after=1_000_000, etag=None)] * 2,
            CONTENT,
            [None] * 3,
            id="without an entity tag nothing is resumed",
        ),
        pytest.param(
            [Mood(cut_after=1_000_000, etag='W/"{}"')],
            CONTENT,
            [None, None],
            id="with a weak entity tag nothing is resumed",
        ),
    ],
)
def test_it_lands_whole_whatever_the_server_does(
    server: MoodyServer, tmp_path: Path, moods: list[Mood], content: bytes, ranges: list[str | None]
) -> None:
    server.moods = list(moods)
    assert_landed(tmp_path, download(Origin(server.url), tmp_path, patience=QUICK), content)
    assert server.ranges == ranges


def test_progress_tells_what_is_here_and_how_much_there_is(server: MoodyServer, tmp_path: Path) -> None:
    server.moods = [Mood(cut_after=1_000_000)]
    seen: list[tuple[int, int | None]] = []
    download(Origin(server.url), tmp_path, progress=lambda here, size: seen.append((here, size)), patience=QUICK)
    assert seen == sorted(seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_a_process_that_was_killed_is_gone_on_from(server: MoodyServer, tmp_path: Path) -> None:
    server.moods = [Mood(cut_after=1_000_000), *[Mood(status=503)] * 3]
    with pytest.raises(RequestError, match="the server answers 503"):
        download(Origin(server.url), tmp_path, patience=Patience(attempts=3, first_pause_seconds=0.01))
    assert_landed(tmp_path, download(Origin(server.url), tmp_path, patience=QUICK), CONTENT)
    assert server.ranges[-1] == "bytes=1000000-"


def test_what_is_in_the_cache_is_not_asked_for_again(server: MoodyServer, tmp_path: Path) -> None:
    first = download(Origin(server.url), tmp_path)
    assert download(Origin(server.url), tmp_path) == first
    assert len(server.ranges) == 1


def test_a_file_that_was_bent_in_the_cache_is_fetched_again(server: MoodyServer, tmp_path: Path) -> None:
    download(Origin(server.url), tmp_path).path.write_bytes(b"bent")
    assert_landed(tmp_path, download(Origin(server.url), tmp_path), CONTENT)


def test_the_first_download_is_what_later_ones_are_held_to(server: MoodyServer, tmp_path: Path) -> None:
    first = download(Origin(server.url), tmp_path)
    record = first.path.with_name(first.path.name + ".json")
    assert json.loads(record.read_text()) == {"uri": server.url.partition("?")[0], "sha256": sha256(CONTENT)}
    first.path.unlink()
    server.content = OTHER
    with pytest.raises(RequestError) as refusal:
        download(Origin(server.url), tmp_path)
    assert str(record) in refusal.value.remedy
    assert not first.path.exists()
    record.unlink()
    assert_landed(tmp_path, download(Origin(server.url), tmp_path), OTHER)


def test_a_digest_that_is_given_is_held_to(server: MoodyServer, tmp_path: Path) -> None:
    assert_landed(tmp_path, download(Origin(server.url, digest=sha256(CONTENT)), tmp_path), CONTENT)
    with pytest.raises(RequestError, match=f"has SHA-256 {sha256(CONTENT)}, not {sha256(OTHER)}"):
        download(Origin(server.url, digest=sha256(OTHER)), tmp_path)


def test_weights_that_are_downloaded_are_held_to_their_digest(server: MoodyServer, tmp_path: Path) -> None:
    asked = network("alt_gvt_small")
    assert weights.resolve(f"{server.url}#sha256={sha256(CONTENT)}", asked, tmp_path).is_verified
    assert not weights.resolve(server.url, asked, tmp_path).is_verified
    with pytest.raises(RequestError, match=f"not {sha256(OTHER)}"):
        weights.resolve(f"{server.url}#sha256={sha256(OTHER)}", asked, tmp_path)


@pytest.mark.parametrize(
    ("status", "problem"),
    [(404, "is not there (404)"), (403, "may not be read (403)"), (400, "the server answers 400")],
)
def test_what_cannot_be_had_is_said_at_once(server: MoodyServer, tmp_path: Path, status: int, problem: str) -> None:
    server.moods = [Mood(status=status)]
    with pytest.raises(RequestError) as refusal:
        weights.resolve(server.url, network("alt_gvt_small"), tmp_path)
    assert problem in str(refusal.value)
    assert "random:0" in refusal.value.remedy
    assert "secret" not in str(refusal.value)
    assert len(server.ranges) == 1


def test_no_network_is_said_after_some_tries(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="cannot be reached") as refusal:
        download(Origin("http://127.0.0.1:9/x.pdparams"), tmp_path, patience=QUICK)
    assert "random:0" in refusal.value.remedy


DOWNLOADS = """
import sys
from pathlib import Path
from twins.download import Origin, download
print(download(Origin(sys.argv[1]), Path(sys.argv[2])).digest)
"""


def test_processes_that_download_at_once_fetch_it_once(server: MoodyServer, tmp_path: Path) -> None:
    command = [sys.executable, "-c", DOWNLOADS, server.url, str(tmp_path)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = {process.communicate(timeout=60)[0].strip() for process in running}
    assert said == {sha256(CONTENT)}
    assert len(server.ranges) == 1
    assert_landed(tmp_path, download(Origin(server.url), tmp_path), CONTENT)


def store(server: S3Server) -> Store:
    return Store(server.endpoint, "us-east-1")


def test_an_object_in_a_bucket_lands(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    s3_server.client.put_object(Bucket=bucket.split("/")[2], Key="models/small.pdparams", Body=CONTENT)
    origin = Origin(f"{bucket}models/small.pdparams", store=store(s3_server))
    assert_landed(tmp_path, download(origin, tmp_path, patience=QUICK), CONTENT)


def test_a_key_is_taken_verbatim(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    key = "a#1 %41?b=c/small.pdparams"
    s3_server.client.put_object(Bucket=bucket.split("/")[2], Key=key, Body=CONTENT)
    assert download(Origin(f"{bucket}{key}", store=store(s3_server)), tmp_path).digest == sha256(CONTENT)


def test_an_endpoint_of_the_environment_is_spoken_to_in_its_way(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket in the path: a server of one's own has no host name for each."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_server.endpoint.replace("127.0.0.1", "localhost"))
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3_server.client.put_object(Bucket=bucket.split("/")[2], Key="small.pdparams", Body=CONTENT)
    assert_landed(tmp_path, download(Origin(f"{bucket}small.pdparams"), tmp_path, patience=QUICK), CONTENT)


def test_a_public_bucket_is_asked_without_a_signature(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    with moody_server(CONTENT) as server:
        here = Store(server.url.rpartition("/")[0], "us-east-1")
        assert download(Origin("s3://public/small.pdparams", store=here), tmp_path).digest == sha256(CONTENT)


@pytest.mark.parametrize(("content", "was"), [(CONTENT, "unchanged"), (OTHER, "changed")])
def test_a_part_of_an_object_is_gone_on_from_if_the_object_is(
    s3_server: S3Server, bucket: str, tmp_path: Path, content: bytes, was: str
) -> None:
    origin = Origin(f"{bucket}{was}/small.pdparams", store=store(s3_server))
    where = {"Bucket": bucket.split("/")[2], "Key": f"{was}/small.pdparams"}
    part = tmp_path / f"{origin.file_name}.part"
    part.write_bytes(CONTENT[:1_000_000])
    part.with_name(part.name + ".etag").write_text(s3_server.client.put_object(**where, Body=CONTENT)["ETag"])
    s3_server.client.put_object(**where, Body=content)
    assert_landed(tmp_path, download(origin, tmp_path, patience=QUICK), content)


def test_an_object_that_is_not_there_is_said_at_once(s3_server: S3Server, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="is not there"):
        download(Origin(f"{bucket}none", store=store(s3_server)), tmp_path, patience=QUICK)


def test_credentials_that_do_not_fit_are_said(
    s3_server: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(RequestError, match="may not be read"):
        download(Origin(f"{bucket}none", store=store(s3_server)), tmp_path, patience=QUICK)


def test_a_store_that_goes_away_is_waited_for(own_s3_server: S3Server, tmp_path: Path) -> None:
    bucket = own_s3_server.create_bucket()
    own_s3_server.client.put_object(Bucket=bucket, Key="small.pdparams", Body=CONTENT)
    own_s3_server.stop()
    cache = tmp_path / "cache"
    origin = Origin(f"s3://{bucket}/small.pdparams", store=store(own_s3_server))
    with pytest.raises(RequestError, match="cannot be reached"):
        download(origin, cache, patience=QUICK)
    own_s3_server.start()
    assert_landed(cache, download(origin, cache, patience=QUICK), CONTENT)
