"""The page a job leaves."""

from twins_worker.report import Report, render


def test_hostile_names_stay_text() -> None:
    page = render(
        Report(
            job="<script>alert(1)</script>",
            model="alt_gvt_small",
            engine="openvino, fp32",
            input="s3://in/",
            output="s3://out/",
            planned=1,
            succeeded=1,
            failed={},
            query="SELECT 1",
        )
    )
    assert "<script" not in page
