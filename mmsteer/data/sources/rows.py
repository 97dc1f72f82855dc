"""Rows of a text table as records: CSV in the dialect of its header, or JSON lines."""

import csv
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from mmsteer.data.text_file import read_lines
from mmsteer.errors import SteerError

DELIMITED = (".csv", ".tsv", ".txt")
"""Endings of tables whose first line names the columns."""
_MOST_BAD = 0.01  # a table of which more rows are broken is refused, as the rest would be a biased selection


class BadRowError(ValueError):
    """A row that is no record."""


def read_rows(table: Path, encoding: str | None = None) -> Iterator[dict[str, Any] | BadRowError]:
    """Rows as records. A row that is none is an exception in its place, so that one broken line does not end the run."""
    lines = read_lines(table, encoding)
    yield from _delimited(lines) if table.suffix.lower() in DELIMITED else _json_lines(lines)


def check_rows(table: Path, encoding: str | None = None) -> None:
    """SteerError, with the first one, if more than a hundredth of a delimited table's rows are broken."""
    if table.suffix.lower() not in DELIMITED:
        return
    count, bad, first = 0, 0, None
    for row in read_rows(table, encoding):
        count += 1
        if isinstance(row, BadRowError):
            bad, first = bad + 1, first or row
    if bad > _MOST_BAD * count:
        raise SteerError(f"cannot read {table.name}, of whose {count:,} rows {bad:,} are broken: {first}")


def _delimited(lines: Iterator[str]) -> Iterator[dict[str, Any] | BadRowError]:
    """Records of a CSV. The delimiter is what separates the names in its header, which no caption can confuse."""
    csv.field_size_limit(2**24)
    first = next(lines, "")
    try:
        sniffed = csv.Sniffer().sniff(first, ",;\t|")
        delimiter, spaced = sniffed.delimiter, sniffed.skipinitialspace
    except csv.Error:  # a single column
        delimiter, spaced = ",", False
    reader = csv.reader(chain([first], lines), delimiter=delimiter, skipinitialspace=spaced, strict=True)
    header = [name.strip() for name in next(reader, [])]
    number = 0
    while True:
        try:
            fields = next(reader, None)
        except csv.Error as error:
            number += 1
            yield BadRowError(f"row {number}, which ends in line {reader.line_num}: {error}")
            continue
        if fields is None:
            return
        if not fields:
            continue
        number += 1
        if len(fields) == len(header):
            yield dict(zip(header, fields, strict=True))
        else:
            yield BadRowError(
                f"row {number}, which ends in line {reader.line_num}, has {len(fields)} fields and the header {len(header)}; put "
                f"captions that contain {delimiter!r} in double quotes"
            )


def _json_lines(lines: Iterator[str]) -> Iterator[dict[str, Any] | BadRowError]:
    for line in lines:
        if line.strip():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield BadRowError(str(error))
                continue
            yield row if isinstance(row, dict) else BadRowError("no JSON object")
