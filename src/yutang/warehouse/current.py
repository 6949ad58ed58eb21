"""The warehouse of this process, installed once by the composition."""

from __future__ import annotations

from yutang.kernel.errors import Unavailable
from yutang.warehouse.contracts import Warehouse

_installed: Warehouse | None = None


def install_warehouse(warehouse: Warehouse | None) -> None:
    """Set (or, with None, forget) the process's warehouse."""
    global _installed
    _installed = warehouse


def current_warehouse() -> Warehouse:
    """The process's warehouse. Raises Unavailable before it is open."""
    if _installed is None:
        raise Unavailable("数据仓库还没有打开，请稍候再试。", "The warehouse is not open yet; try again in a moment.")
    return _installed
