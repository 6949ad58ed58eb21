"""The socket in the data directory."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from yutang.kernel.errors import BadInput
from yutang.warehouse import wire
from yutang.warehouse.contracts import Statement
from yutang.warehouse.engine import open_warehouse


@pytest.fixture
def deep() -> Iterator[Path]:
    """A directory whose path is too long for a socket."""
    base = Path(tempfile.mkdtemp())
    yield base / ("a" * 60) / ("b" * 60)
    shutil.rmtree(base)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_of_the_files_may_speak_to_it(tmp_path: Path) -> None:
    warehouse = open_warehouse(tmp_path / "d")
    assert mode(wire.socket_path(tmp_path / "d")) == 0o600
    warehouse.close()
    assert not (tmp_path / "d" / wire.SOCKET).exists()


def test_where_the_path_is_too_long_a_pointer_leads_to_the_socket(deep: Path) -> None:
    warehouse = open_warehouse(deep)
    where = wire.socket_path(deep)
    assert len(os.fsencode(where)) <= wire.LONGEST_PATH
    assert mode(where) == 0o600
    assert mode(where.parent) == 0o700
    client = open_warehouse(deep)
    assert client.query(Statement("SELECT 1 AS one")).to_pylist() == [{"one": 1}]
    warehouse.close()
    assert not where.parent.exists()
    where.parent.mkdir()  # as an owner that was killed leaves it
    again = open_warehouse(deep)
    assert not where.parent.exists(), "the former owner's directory is swept"
    again.close()
    assert not wire.socket_path(deep).parent.exists()


def test_tables_of_any_shape_pass_the_wire(tmp_path: Path) -> None:
    owner, client = open_warehouse(tmp_path), open_warehouse(tmp_path)
    given = pa.table({"a": pa.chunked_array([[1, 2], [None]]), "m": [Decimal("1.25"), None, Decimal("-3.00")]})
    for table in (given, given.slice(0, 0)):
        answer = client.query(Statement("SELECT * FROM mine", tables={"mine": table}))
        assert answer.to_pylist() == table.to_pylist()
    big = client.query(Statement("SELECT r, md5(CAST(r AS VARCHAR)) AS s FROM range(300000) t(r)"))
    assert (big.num_rows, big["r"][-1].as_py()) == (300_000, 299_999)
    owner.close()


def test_every_kind_of_error_keeps_its_kind_and_both_its_sentences(tmp_path: Path) -> None:
    owner, client = open_warehouse(tmp_path), open_warehouse(tmp_path)
    for bad in (Statement("SELECT nowhere", name="room/q"), Statement("SELECT list_sum($l)", {"l": [1, "a"]})):
        with pytest.raises(BadInput) as here:
            owner.query(bad)
        with pytest.raises(BadInput) as there:
            client.query(bad)
        assert (here.value.zh, here.value.en) == (there.value.zh, there.value.en)
    owner.close()


def test_a_caller_that_speaks_nonsense_or_hangs_up_harms_nobody(tmp_path: Path) -> None:
    owner, client = open_warehouse(tmp_path), open_warehouse(tmp_path)
    for message in (b"", b"\0\0", b'\0\0\0\5{"ve', b"\0\0\0\2{]", b'\0\0\0\x0f{"verb":"dance"}'[:19]):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(wire.socket_path(tmp_path)))
            line.sendall(message)
    assert client.query(Statement("SELECT 1 AS one")).num_rows == 1
    owner.close()
