"""How a page's named SQL is narrowed to what a viewer may see."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from yutang.organisation.contracts import Viewer
from yutang.warehouse.contracts import Statement, named


def seen_by(
    viewer: Viewer,
    name: str,
    params: Mapping[str, object] | None = None,
    tables: Mapping[str, pa.Table] | None = None,
) -> Statement:
    """The named query with `$sees_all` and the table `seen` (`node`) set for a viewer.

    Every query of this room that reads persons keeps `$sees_all OR person IN (fact_scopes at a node of seen)`.
    """
    nodes = pa.table({"node": pa.array(sorted(viewer.nodes or ()), pa.int64())})
    return named(name, {**(params or {}), "sees_all": viewer.sees_all}, {**(tables or {}), "seen": nodes})
