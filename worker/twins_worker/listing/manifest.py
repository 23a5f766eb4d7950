"""A list of images that somebody made: Parquet or CSV with a column ``uri``, or text with a URI a line."""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from urllib.parse import urljoin

import pyarrow as pa
import pyarrow.parquet as pq

from twins.errors import RequestError
from twins_worker.fetch import Row
from twins_worker.listing import ranged
from twins_worker.storage import Object, Place, shown_uri, split
from twins_worker.storage.folder import Folder

SUFFIXES = (".parquet", ".csv", ".txt")
LONGEST_LINE = 2**16
LONGEST_NAMES = 200
"""Characters of the names of columns that are told."""
BATCH_ROWS = 8192


def rows(place: Place, found: Object) -> Iterator[Row]:
    """The rows of a manifest, in its order, streamed. Columns ``etag`` and ``bytes`` are taken where they are there.

    A URI is absolute or relative to the manifest; one of this machine's files is good only in a manifest that is one.

    Raises:
        RequestError: it has no column ``uri``, or a row that is none; the row or line is named.
    """
    listed = _Listed(place.uri(found.key))
    with ranged.opened(place, found) as file:
        if found.key.lower().endswith(".parquet") or file.peek(4)[:4] == b"PAR1":
            yield from _parquet(listed, file)
        elif found.key.lower().endswith(".csv"):
            yield from _csv(listed, file)
        else:
            yield from _text(listed, file)


@dataclass(frozen=True)
class _Listed:
    """Makes rows of what a manifest says."""

    manifest: str

    def row(self, where: str, uri: object, nbytes: object = None, etag: object = None) -> Row:
        if not isinstance(uri, str) or not uri:
            raise self.wrong(f"{where} has no URI")
        if nbytes is not None and not (str(nbytes).isascii() and str(nbytes).isdecimal()):
            raise self.wrong(f"{where} has bytes {nbytes!r}, which is no size")
        size = None if nbytes is None else int(str(nbytes))
        return Row(self._absolute(uri, where), None, None, size, str(etag).strip('"') if etag else None)

    def wrong(self, problem: str) -> RequestError:
        remedy = "A manifest is Parquet or CSV with a column 'uri', or text with a URI a line."
        return RequestError("input.uri", shown_uri(self.manifest), problem, remedy)

    def _absolute(self, uri: str, where: str) -> str:
        here = self.manifest.startswith("file:")
        if "://" not in uri and not here:
            return self._beside(uri, where)
        try:
            root, key = split(uri if "://" in uri else str(self._folder / uri))
        except RequestError as error:
            raise self.wrong(f"{where}, {shown_uri(uri)!r}, {error.problem}") from error
        if root != "file:///":
            return root + key
        if not here:
            raise self.wrong(f"{where}, {uri!r}, is a file of one machine")
        return Folder(Path("/")).uri(key)

    def _beside(self, uri: str, where: str) -> str:
        """``uri`` relative to a manifest in a bucket, where names have no '..', or on a web server."""
        if self.manifest.startswith("http"):
            return self._joined(uri, where)
        if uri.startswith("/") or ".." in uri.split("/"):
            raise self.wrong(f"{where}, {uri!r}, leads out of the manifest's folder")
        return self.manifest.rpartition("/")[0] + "/" + uri.removeprefix("./")

    def _joined(self, uri: str, where: str) -> str:
        try:
            return urljoin(self.manifest, uri)
        except ValueError as error:
            raise self.wrong(f"{where}, {shown_uri(uri)!r}, is no URL") from error

    @property
    def _folder(self) -> Path:
        return Path("/", split(self.manifest)[1]).parent


def _parquet(listed: _Listed, file: io.BufferedReader) -> Iterator[Row]:
    try:
        table = pq.ParquetFile(pa.PythonFile(file, mode="r"), buffer_size=ranged.BLOCK_BYTES, pre_buffer=False)
        names = [name for name in ("uri", "bytes", "etag") if name in table.schema_arrow.names]
        if "uri" not in names:
            raise listed.wrong(f"has no column 'uri' among {', '.join(table.schema_arrow.names)[:LONGEST_NAMES]}")
        batches = (batch.to_pylist() for batch in table.iter_batches(BATCH_ROWS, columns=names))
        for number, values in enumerate(chain.from_iterable(batches), 1):
            yield listed.row(f"row {number}", values["uri"], values.get("bytes"), values.get("etag"))
    except pa.ArrowException as error:
        raise listed.wrong(f"cannot be read as Parquet: {str(error).partition(chr(10))[0]}") from error


def _csv(listed: _Listed, file: io.BufferedReader) -> Iterator[Row]:
    reader = csv.reader(_lines(listed, file))
    try:
        header = next(reader, [])
        if "uri" not in header:
            raise listed.wrong(f"has no column 'uri' among {', '.join(header)[:LONGEST_NAMES]}")
        for values in reader:
            if values:
                row = dict(zip(header, values, strict=False))
                where = f"line {reader.line_num}"
                yield listed.row(where, row.get("uri"), row.get("bytes") or None, row.get("etag"))
    except csv.Error as error:
        raise listed.wrong(f"line {reader.line_num} is no CSV: {error}") from error


def _text(listed: _Listed, file: io.BufferedReader) -> Iterator[Row]:
    for number, line in enumerate(_lines(listed, file), 1):
        uri = line.strip()
        if uri and not uri.startswith("#"):
            yield listed.row(f"line {number}", uri)


def _lines(listed: _Listed, file: io.BufferedReader) -> Iterator[str]:
    text, number = io.TextIOWrapper(file, encoding="utf-8-sig", newline=""), 0
    try:
        while line := text.readline(LONGEST_LINE):
            number += 1
            if len(line) == LONGEST_LINE:
                raise listed.wrong(f"line {number} is longer than {LONGEST_LINE} characters")
            yield line
    except UnicodeDecodeError as error:
        raise listed.wrong(f"is no text after line {number}") from error
