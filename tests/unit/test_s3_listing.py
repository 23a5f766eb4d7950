"""What S3's answers to ListObjectsV2 say."""

from xml.parsers.expat import ExpatError

import pytest

from twins_worker.storage.place import Object
from twins_worker.storage.s3_listing import Page, parse

HEAD = '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>{etag}</ETag>"
    "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>{size}</Size><Owner><ID>me</ID></Owner></Contents>"
)


def answer(*entries: str, head: str = "<IsTruncated>false</IsTruncated>") -> bytes:
    return f"{HEAD}<Name>b</Name><Prefix>p</Prefix>{head}{''.join(entries)}</ListBucketResult>".encode()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(answer(), Page((), None), id="nothing"),
        pytest.param(
            answer(ENTRY.format(key="a&amp;b+%20.jpg", etag="&quot;abc&quot;", size=7)),
            Page((Object("a&b+%20.jpg", 7, "abc"),), None),
            id="a key as it is",
        ),
        pytest.param(
            answer(
                ENTRY.format(key="a+b%2B%0A//%C3%A9%26", etag="x", size=0),
                ENTRY.format(key="b", etag="", size=1),
                head="<EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
                "<NextContinuationToken>1/2==</NextContinuationToken>",
            ),
            Page((Object("a b+\n//é&", 0, "x"), Object("b", 1, None)), "1/2=="),
            id="encoded keys, and more to come",
        ),
    ],
)
def test_a_page(given: bytes, expected: Page) -> None:
    assert parse(given) == expected


@pytest.mark.parametrize(
    "given", [b"", b"busy", b"<html></html>", answer(ENTRY.format(key="a", etag="", size=1))[:-30]]
)
def test_what_is_no_page_is_an_error(given: bytes) -> None:
    with pytest.raises((ExpatError, KeyError)):
        parse(given)
