"""JSON lines: an object a line, its fields the columns; a field within a field is `outer.inner`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from yutang.intake.files.contracts import BLOCK_BYTES, BLOCK_ROWS, LINE_BYTES, Block, BrokenRow, File, Source
from yutang.intake.files.header import refuse_many_columns
from yutang.kernel.errors import BadInput

_decode = msgspec.json.Decoder().decode


def open_json_lines(file: File) -> Source:
    """The rows of a file of JSON lines. It is read through once to learn its columns: any line may bring a new one.

    Raises BadInput for a file without an object, with more than a thousand columns, or with a line longer than 1 MB.
    """
    names: dict[str, None] = {}
    count = 0
    for _, line in _lines(file):
        if line.strip():
            count += 1
            names |= dict.fromkeys(_fields(line) or ())
            refuse_many_columns(len(names), file.name)
    if not names:
        raise BadInput(
            f'{file.name} 里没有一行是 JSON 对象，应每行一个，如 {{"order_id": "1"}}。',
            f'No line of {file.name} is a JSON object; write one a line, such as {{"order_id": "1"}}.',
        )
    source = Source(list(names), count, lambda wanted: iter(()), "jsonl", "utf-8")
    source.read = lambda wanted: _blocks(file, source, wanted)
    return source


def _blocks(file: File, source: Source, wanted: Sequence[str]) -> Iterator[Block]:
    rows: list[int] = []
    found: list[Mapping[str, str]] = []
    size = 0
    for number, line in _lines(file):
        if not line.strip():
            continue
        fields = _fields(line)
        if fields is None:
            source.broken.append(BrokenRow(number, "不是一个 JSON 对象", "it is no JSON object"))
            continue
        rows.append(number)
        found.append(fields)
        size += len(line)
        if len(rows) == BLOCK_ROWS or size > BLOCK_BYTES:
            yield _block(rows, found, wanted)
            rows, found, size = [], [], 0
    if rows:
        yield _block(rows, found, wanted)


def _block(rows: list[int], found: list[Mapping[str, str]], wanted: Sequence[str]) -> Block:
    columns = [pa.array([fields.get(name, "") for fields in found], pa.string()) for name in wanted]
    return np.array(rows, dtype=np.int64), pa.record_batch(columns, names=list(wanted))


def _lines(file: File) -> Iterator[tuple[int, bytes]]:
    with file.open() as opened:
        number = 0
        while line := opened.readline(LINE_BYTES + 1):
            number += 1
            if len(line) > LINE_BYTES:
                raise BadInput(
                    f"{file.name} 的第 {number} 行超过 1 MB，不像一张表，请检查换行符。",
                    f"Line {number} of {file.name} is longer than 1 MB, which no table is; check its line ends.",
                )
            yield number, line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line


def _fields(line: bytes) -> Mapping[str, str] | None:
    try:
        given = _decode(line)
        return dict(_flat(given, "")) if isinstance(given, dict) else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _flat(given: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in given.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{before}{name}.")
        elif isinstance(value, str):
            yield before + name, value
        elif value is not None:
            yield before + name, msgspec.json.encode(value).decode()
