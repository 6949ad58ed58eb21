"""The adapters that there are: every file of `adapters/`, found by being there."""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from functools import cache
from importlib import import_module

from yutang.channels.direct import adapters
from yutang.channels.direct.contracts import Kind
from yutang.kernel.errors import NotFound


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of account by its name, such as `sms.aliyun`."""
    modules = (import_module(f"{adapters.__name__}.{one.name}") for one in pkgutil.iter_modules(adapters.__path__))
    found: list[Kind] = [module.KIND for module in modules]
    return {kind.name: kind for kind in found}


def kind_named(name: str) -> Kind:
    """One of them. Raises NotFound."""
    if name not in kinds():
        known = "、".join(kinds())
        raise NotFound(
            f"没有「{name[:40]}」这种渠道，可选：{known}。", f"There is no kind “{name[:40]}”; there are: {known}."
        )
    return kinds()[name]
