"""A pond with a warehouse of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pytest_django import Settings

from tests.kept import made_once
from tests.people.pond import found_pond
from tests.warehouse.fixtures import prepared
from yutang.intake.mirror import mirror_nodes
from yutang.warehouse.contracts import Warehouse
from yutang.warehouse.engine import open_warehouse


@pytest.fixture
def data(tmp_path: Path, settings: Settings) -> Path:
    """The data directory of this test."""
    settings.DATA = tmp_path
    return tmp_path


@pytest.fixture
def warehouse(db: None, data: Path) -> Iterator[Warehouse]:
    """A pond's warehouse, empty but for the tree."""

    def build(folder: Path) -> None:
        found_pond()
        with closing(open_warehouse(prepared(folder), threads=1)) as fresh:
            mirror_nodes(fresh)

    made_once("found", data, build)
    with closing(open_warehouse(data, threads=1)) as opened:
        yield opened
