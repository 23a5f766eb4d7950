"""A bucket behind a network that fails: short trouble is ridden out, lasting trouble is ``Unavailable``."""

import itertools
from collections.abc import Callable, Iterator

import pytest
from fault_proxy import Fault, FaultProxy, Request, Server, cuts, forgets, passes, refuses, resets
from s3_server import S3Server

from twins_worker.settings import Storage
from twins_worker.storage import Place, Unavailable, open_place
from twins_worker.storage.bucket import LARGE_BYTES, Bucket
from twins_worker.storage.s3 import S3Bucket

BODY = b"0123456789" * 1000
ANY_TIME = {"busy": refuses, "resets": resets, "resets after it was done": forgets}
READING = {**ANY_TIME, "cuts": cuts}


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    proxy = FaultProxy(s3_server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def place(proxy: FaultProxy, bucket: str) -> Place:
    place = open_place(bucket, Storage(endpoint=proxy.endpoint, region="us-east-1"))
    place.put("there", BODY)
    return place


def twice(fault: Fault) -> Fault:
    """``fault``, two times, then none."""
    number = itertools.count()

    def some(request: Request, server: Server) -> bytes:
        return (fault if next(number) < 2 else passes)(request, server)

    return some


@pytest.mark.parametrize("fault", READING.values(), ids=READING.keys())
def test_reading_and_listing_ride_out_short_trouble(proxy: FaultProxy, place: Place, fault: Fault) -> None:
    proxy.fault = twice(fault)
    assert place.get("there") == BODY
    proxy.fault = twice(fault)
    assert place.get("there", range=(5, 9000)) == BODY[5:9000]
    proxy.fault = twice(fault)
    assert [(found.key, found.bytes) for found in place.list()] == [("there", len(BODY))]


@pytest.mark.parametrize("fault", ANY_TIME.values(), ids=ANY_TIME.keys())
def test_writing_rides_out_short_trouble(proxy: FaultProxy, place: Place, fault: Fault) -> None:
    proxy.fault = twice(fault)
    assert place.create("new", BODY)
    proxy.fault = twice(fault)
    place.put("there", b"other")
    assert (place.get("new"), place.get("there")) == (BODY, b"other")
    assert not place.create("new", b"other")


@pytest.mark.parametrize(
    "use",
    [
        pytest.param(lambda place: place.get("there"), id="get"),
        pytest.param(lambda place: list(place.list()), id="list"),
        pytest.param(lambda place: place.create("new", b""), id="create"),
    ],
)
def test_lasting_trouble_is_unavailable(
    proxy: FaultProxy, bucket: str, monkeypatch: pytest.MonkeyPatch, use: Callable[[Place], object]
) -> None:
    monkeypatch.setenv("TWINS_RETRY_SECONDS", "1")
    place = open_place(bucket, Storage(endpoint=proxy.endpoint, region="us-east-1"))
    proxy.fault = refuses
    with pytest.raises(Unavailable, match=r"^s3://bucket-\d+/.*SlowDown: Please reduce your request rate"):
        use(place)


def test_a_listing_that_finds_no_server_tells_no_token(s3_credentials: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINS_RETRY_SECONDS", "0")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "secret-token")
    place = open_place("s3://bucket/", Storage(endpoint="http://127.0.0.1:9", region="us-east-1"))
    with pytest.raises(Unavailable) as failure:
        list(place.list())
    assert str(failure.value) == "s3://bucket/: EndpointConnectionError at 127.0.0.1"
    assert failure.value.__cause__ is None


def test_what_is_there_is_not_sent_again_where_it_is_large(proxy: FaultProxy, place: Place) -> None:
    large = bytes(LARGE_BYTES + 1)
    assert place.create("part", large)
    proxy.requests.clear()
    assert not place.create("part", large)
    assert [request.method for request in proxy.requests] == ["HEAD"]


def test_a_bucket_of_another_kind_is_asked_for_one_key_only(proxy: FaultProxy, place: Place) -> None:
    """Google's and Azure's: through obstore alone, here on an S3 server."""
    assert isinstance(place, S3Bucket)
    other = Bucket(place.bucket_uri, "", place.store)
    found = place.find("there")
    proxy.requests.clear()
    assert (other.find("there"), other.find("ther")) == (found, None)
    assert [request.method for request in proxy.requests] == ["HEAD", "HEAD"]


@pytest.mark.parametrize(
    "endpoint",
    ["https://bucket.vpce-1a.s3.us-east-1.vpce.amazonaws.com", "https://s3.amazonaws.com.example.org", None],
)
def test_every_request_goes_to_the_endpoint_that_is_set(s3_credentials: None, endpoint: str | None) -> None:
    place = open_place("s3://bucket/", Storage(endpoint=endpoint, region="cn-north-1"))
    assert isinstance(place, S3Bucket)
    expected = endpoint or "https://s3.cn-north-1.amazonaws.com.cn"
    assert place.store.config["endpoint"] == place.client.meta.endpoint_url == expected
