"""The page a job leaves: whole, self-contained, and undisturbed by what strangers named their files."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from pictures import encoded, photograph

from twins.opencv import cv2
from twins_worker.report import ClassCount, FailedImage, Part, Report, render
from twins_worker.thumbnails import LONG_SIDE, thumbnail

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'"
RIGHT_TO_LEFT = "שלום \u202egpj.exe"
VOID = {"meta", "img", "rect", "line", "polygon", "polyline", "path", "br"}

HOLIDAY = Report(
    job="holiday",
    model="alt_gvt_small",
    engine="openvino, fp32",
    input="s3://photos/2026/",
    output="s3://predictions/holiday/",
    planned=1_200_000,
    succeeded=1_199_990,
    failed={"truncated": 7, "not_found": 3},
    query="SELECT * FROM 's3://predictions/holiday/data/*.parquet'",
    lineage={"model_digest": "9d1f62"},
    bytes_read=133_000_000_000,
    parts=(Part(1795334190.0, 1795334250.0, 600_000), Part(1795334200.0, 1795334310.0, 600_000, 10)),
    stage_seconds={"write": 4.0, "infer": 500.0, "decode": 40.0, "fetch": 20.0},
    classes=(ClassCount(502, "clog, geta", 9000), ClassCount(337, "beaver", 4500)),
    failures=(FailedImage("s3://photos/2026/a.jpg", "truncated", "a JPEG that ends early"),),
)


class Page(HTMLParser):
    """The elements and the text of a page; balanced, or it says so."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.mark.parametrize(
    "said",
    [
        "holiday",
        "1,199,990 of 1,200,000 images",
        "10 < 0.1 %",
        "10,000 images/s",
        "2 min",
        "133 GB",
        "truncated The file ends early.",
        "clog, geta 9,000",
        "infer 88.7 % 8 min 20 s",
        "SELECT * FROM 's3://predictions/holiday/data/*.parquet'",
        "model_digest 9d1f62",
        "22 November 2026, 07:56 UTC",
    ],
)
def test_the_page_says_what_the_job_did(said: str) -> None:
    assert said in Page(render(HOLIDAY)).text


def test_rows_that_are_missing_are_said() -> None:
    assert "12 have no row" in Page(render(replace(HOLIDAY, succeeded=HOLIDAY.succeeded - 12))).text
    assert "have no row" not in Page(render(HOLIDAY)).text


def test_a_job_of_nothing_has_a_page() -> None:
    nothing = Report("none", "pcpvt_small", "openvino, fp32", "/in", "/out", 0, 0, {}, "SELECT 1")
    assert "0 of 0 images" in Page(render(nothing)).text


@pytest.mark.parametrize("name", [SCRIPT, RIGHT_TO_LEFT, "k" * 5000, "\0\x1b[2J\ud800", "{{ 7 * 7 }}", "", "\n\n"])
def test_hostile_names_stay_text(name: str) -> None:
    page = render(
        replace(
            HOLIDAY,
            job=name,
            model=name,
            engine=name,
            input=name,
            output=name,
            query=name,
            failed={name: 1},
            lineage={name: name},
            stage_seconds={name: 1.0},
            classes=(ClassCount(1, name, 1),),
            failures=(FailedImage(name, name, name, name.encode("utf-8", "replace")),),
        )
    )
    parsed = Page(page)
    elements = [tag for tag, _ in parsed.elements]
    assert page.encode("utf-8")
    assert not {"script", "iframe", "object", "a", "link"} & set(elements)
    assert elements.count("img") == 0
    assert not [
        attribute for _, attributes in parsed.elements for attribute in attributes if attribute.startswith("on")
    ]
    assert not re.search("[\0-\x08\x0e-\x1f\u202a-\u202e]", page)
    assert len(page) < 60_000


def test_the_page_asks_for_nothing_from_outside() -> None:
    page = Page(render(replace(HOLIDAY, failures=(FailedImage("a", "b", "c", encoded(photograph("coffee"), "JPEG")),))))
    attributes = [(name, value) for _, each in page.elements for name, value in each.items()]
    sources = [value or "" for name, value in attributes if name in {"src", "href", "srcset", "data", "action"}]
    assert len(sources) == 1
    assert sources[0].startswith("data:image/jpeg;base64,")
    policy = next(value for name, value in attributes if name == "content" and value and "default-src" in value)
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:;")
    assert "url(" not in render(HOLIDAY)


def test_a_picture_is_made_anew_and_small() -> None:
    original = encoded(photograph("coffee"), "PNG")
    picture = thumbnail(original)
    assert picture is not None
    decoded = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)
    assert max(decoded.shape[:2]) == LONG_SIDE
    page = render(replace(HOLIDAY, failures=(FailedImage("a.png", "unsupported", "", original),)))
    assert base64.b64encode(picture).decode() in page


def test_a_jpeg_that_was_cut_short_shows_what_there_is() -> None:
    whole = encoded(photograph("coffee"), "JPEG")
    picture = thumbnail(whole[: len(whole) // 2])
    assert picture is not None
    shown = cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR).astype(int)
    reference = cv2.imdecode(np.frombuffer(thumbnail(whole) or b"", np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert np.abs(shown[:60] - reference[:60]).mean() < 5


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(b"\xff\xd8\xff\xe0 and no more", id="a JPEG without a frame"),
        pytest.param(b"<svg onload='alert(1)'/>", id="SVG"),
        pytest.param(encoded(photograph("coffee"), "PNG")[:5000], id="a PNG cut short"),
    ],
)
def test_what_cannot_be_pictured_is_not(data: bytes) -> None:
    assert thumbnail(data) is None
