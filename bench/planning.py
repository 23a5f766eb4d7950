"""How fast, and in how much memory, a job is planned: ``python bench/planning.py [--objects N ...]``.

Listings come from a server here that speaks as much of S3 as a listing takes and makes up a million keys as it goes;
from a real S3 server (versitygw) with real objects; and from a folder. Each planner is a process of its own, whose
CPU time and peak memory the kernel tells. Beside it, boto3 and obstore do the listing alone.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests/integration"))

from s3_server import ACCESS_KEY, SECRET_KEY, S3Server  # noqa: E402 - lies with the tests that it serves

from twins_worker.settings import Input, Job, Model, Output, Storage  # noqa: E402
from twins_worker.storage import open_place  # noqa: E402

PAGE = 1000
MIB = 2**20
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": ":".join([str(ROOT / "worker"), str(ROOT / "twins")]),
    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class Cost:
    """Of one process."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


class _Listing(BaseHTTPRequestHandler):
    """``ListObjectsV2`` of a bucket with ``objects`` made-up keys."""

    protocol_version = "HTTP/1.1"
    objects = 0

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        start = int(query.get("continuation-token", ["0"])[0])
        end = min(start + PAGE, self.objects)
        more = f"<NextContinuationToken>{end}</NextContinuationToken>" if end < self.objects else ""
        contents = "".join(map(_CONTENTS.format, range(start, end)))
        body = (
            '<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>photos</Name><Prefix></Prefix><KeyCount>{end - start}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<EncodingType>url</EncodingType><IsTruncated>{'true' if more else 'false'}</IsTruncated>{more}{contents}"
            "</ListBucketResult>"
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Nothing: a line a request would be most of the work."""


_CONTENTS = (
    "<Contents><Key>2026/{0:09d}.jpg</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified>"
    "<ETag>&quot;{0:032x}&quot;</ETag><Size>{0}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


def serve(objects: int) -> None:
    """Answer until the process is ended; the first line of output is the port."""
    _Listing.objects = objects
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Listing)
    print(server.server_port, flush=True)
    server.serve_forever()


@contextmanager
def made_up(objects: int) -> Iterator[Storage]:
    arguments = [sys.executable, __file__, "--serve", str(objects)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        try:
            assert process.stdout is not None
            yield Storage(endpoint=f"http://127.0.0.1:{int(process.stdout.readline())}", region="us-east-1")
        finally:
            process.kill()


def cost(code: str, *arguments: str) -> tuple[Cost, str]:
    """What running ``code`` in a process of its own takes, and what it prints."""
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, "-c", code, *arguments], stdout=output, env=ENVIRONMENT)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        output.seek(0)
        told = output.read()
    return Cost(time.monotonic() - start, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024), told


PLAN = """
import sys
from twins_worker import plan, settings
print(plan.run(settings.Job.model_validate_json(sys.argv[1])).model_dump_json(by_alias=True))
"""
IMPORTS = "from twins_worker import plan"
BOTO3 = """
import sys, boto3
pages = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1").get_paginator("list_objects_v2")
print(sum(len(page["Contents"]) for page in pages.paginate(Bucket="photos")))
"""
OBSTORE = """
import sys, obstore
from obstore.store import S3Store
store = S3Store("photos", endpoint=sys.argv[1], region="us-east-1", client_options={"allow_http": True})
print(sum(len(page) for page in obstore.list(store, chunk_size=1000)))
"""


def report(what: str, objects: int, took: Cost) -> None:
    rate, each = objects / took.seconds, took.cpu_seconds / objects * 1e6
    print(
        f"{what:24} {objects:9,} objects  {took.seconds:6.1f} s  {rate:8,.0f} a second  "
        f"{took.cpu_seconds:6.1f} CPU s  {each:6.1f} us each  peak {took.peak_bytes / MIB:4.0f} MiB",
        flush=True,
    )


def plan_of(uri: str, storage: Storage) -> Cost:
    with tempfile.TemporaryDirectory() as output:
        job = Job(model=Model(name="alt_gvt_small"), input=Input(uri=uri), output=Output(uri=output), storage=storage)
        took, told = cost(PLAN, job.model_dump_json())
    planned = json.loads(told)
    print(f"  {planned['shards']} shards of {planned['imagesPerShard']}, digest {planned['plan']}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--files", type=int, default=50_000, help="real files, in a folder and in versitygw")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.serve is not None:
        serve(asked.serve)
        return
    imports, _ = cost(IMPORTS)
    print(f"imports alone: {imports.cpu_seconds:.1f} CPU s, peak {imports.peak_bytes / MIB:.0f} MiB")
    for objects in asked.objects:
        with made_up(objects) as storage:
            report("plan, made-up S3", objects, plan_of("s3://photos/", storage))
            report("boto3's listing alone", objects, cost(BOTO3, storage.endpoint or "")[0])
            report("obstore's listing alone", objects, cost(OBSTORE, storage.endpoint or "")[0])
    if asked.files:
        real(asked.files)


def real(files: int) -> None:
    """Files in a folder, then the same in versitygw."""
    with tempfile.TemporaryDirectory() as folder:
        place = open_place(f"{folder}/in", Storage())
        fill(place.put, files)
        report("plan, folder", files, plan_of(f"{folder}/in", Storage()))
    with tempfile.TemporaryDirectory() as folder:
        server = S3Server(Path(folder))
        server.start()
        try:
            bucket = server.create_bucket()
            os.environ.update(AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
            fill(open_place(f"s3://{bucket}/", server.storage).put, files)
            report("plan, versitygw", files, plan_of(f"s3://{bucket}/", server.storage))
        finally:
            server.stop()


def fill(put: Callable[[str, bytes], object], files: int) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: put(f"{number // 1000:03}/{number:06}.jpg", b"1"), range(files)))


if __name__ == "__main__":
    main()
