"""Rows of an output, read back in the order of the plan."""

from pathlib import Path

import pyarrow as pa

from twins_cli import rows
from twins_worker import manifest, parts, schema
from twins_worker.figures import Figures
from twins_worker.manifest import File, Images, Manifest
from twins_worker.settings import Input, Job, Model, Output
from twins_worker.storage import open_place


def test_past_999_parts_rows_are_still_in_the_plans_order(tmp_path: Path) -> None:
    """Names of such parts do not sort as their numbers do."""
    asked = Job(model=Model(name="alt_gvt_small"), input=Input(uri="in"), output=Output(uri=str(tmp_path)))
    output = open_place(asked.output.uri, asked.storage)
    numbers, files = range(998, 1002), []
    for number in numbers:
        table = pa.Table.from_pylist([{"uri": f"{number}.jpg"}], schema=schema.predictions(top_k=5))
        output.create(parts.key(0, number), schema.write(table, {}))
        found = output.find(parts.key(0, number))
        assert found is not None
        files.append(File(path=found.key, rows=1, bytes=found.bytes, etag=found.etag))
    told = Manifest(
        job=asked.name,
        digest=asked.digest,
        plan="",
        images=Images(planned=4, succeeded=4, failed=0, skipped=0),
        rows=4,
        bytes=0,
        columns=[],
        lineage=[],
        figures=Figures(),
        files=files,
    )
    output.put(manifest.KEY, told.model_dump_json(by_alias=True).encode())
    assert [row["uri"] for row in rows.read(asked, ["uri"])] == [f"{number}.jpg" for number in numbers]
