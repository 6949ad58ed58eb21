"""The product album (WeCom doc 95096)."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import cast

from yutang.kernel.ids import salt
from yutang.sandbox.attachments import ALBUM, check_media
from yutang.sandbox.owning import check_own, own
from yutang.sandbox.store import Settings
from yutang.sandbox.wire import Arguments, Call, PlatformError, invalid, page

DESCRIPTION_CHARACTERS, SN_BYTES, PICTURES = 300, 128, 9
MOST_CENTS = 5_000_000


def add_product(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`add_product_album`. The same body twice makes two products."""
    described = _description(arguments)
    price = _price(arguments)
    sn = _sn(arguments)
    pictures = _pictures(con, arguments, wall)
    number = int(con.execute("SELECT count(*) FROM products").fetchone()[0]) + 1
    product_id = f"{salt('product', settings.corp_id, settings.seed, number):016x}{number:08x}"
    con.execute(
        "INSERT INTO products VALUES (?, ?, ?, ?, ?, ?, NULL)",
        (product_id, described, price, sn, json.dumps(pictures), settings.now),
    )
    own(con, settings, "product", product_id)
    return {"product_id": product_id}


def get_product(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_product_album`."""
    row = _find(con, arguments)
    return {"product": _told(row) | {"create_time": row["create_time"]}}


def list_products(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`get_product_album_list`: without when they were made."""

    def rows(start: Sequence[object], count: int) -> list[sqlite3.Row]:
        return con.execute(
            "SELECT * FROM products WHERE deleted_at IS NULL AND product_id > ? ORDER BY product_id LIMIT ?",
            (start[0] if start else "", count),
        ).fetchall()

    found, cursor = page(
        "products",
        arguments.text("cursor", limit=1024),
        rows,
        lambda row: [row["product_id"]],
        arguments.limit(50, 100, 50),
    )
    return {"product_list": [_told(row) for row in found], "next_cursor": cursor}


def update_product(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`update_product_album`: what is not said stays. Only the app that made it may."""
    row = _find(con, arguments)
    check_own(con, settings, "product", row["product_id"])
    said = arguments.values
    con.execute(
        "UPDATE products SET description = ?, price = ?, product_sn = ?, pictures = ? WHERE product_id = ?",
        (
            _description(arguments) if said.get("description") is not None else row["description"],
            _price(arguments) if said.get("price") is not None else row["price"],
            _sn(arguments) if said.get("product_sn") is not None else row["product_sn"],
            json.dumps(_pictures(con, arguments, wall)) if said.get("attachments") is not None else row["pictures"],
            row["product_id"],
        ),
    )
    return {}


def delete_product(con: sqlite3.Connection, settings: Settings, arguments: Arguments, wall: float) -> dict[str, object]:
    """`delete_product_album`; again → 41074."""
    row = _find(con, arguments)
    check_own(con, settings, "product", row["product_id"])
    con.execute("UPDATE products SET deleted_at = ? WHERE product_id = ?", (settings.now, row["product_id"]))
    return {}


def _find(con: sqlite3.Connection, arguments: Arguments) -> sqlite3.Row:
    row = con.execute(
        "SELECT * FROM products WHERE product_id = ?", (arguments.text("product_id", missing=41075),)
    ).fetchone()
    if row is None:
        raise PlatformError(41075)
    if row["deleted_at"] is not None:
        raise PlatformError(41074)
    return cast("sqlite3.Row", row)


def _description(arguments: Arguments) -> str:
    text = arguments.text("description", missing=41087, limit=1 << 16)
    if len(text) > DESCRIPTION_CHARACTERS:
        raise PlatformError(41073)
    return text


def _price(arguments: Arguments) -> int:
    price = arguments.values.get("price")
    if not isinstance(price, int) or isinstance(price, bool) or not 0 <= price <= MOST_CENTS:
        raise PlatformError(41086)
    return price


def _sn(arguments: Arguments) -> str:
    sn = arguments.values.get("product_sn", "")
    if not isinstance(sn, str) or len(sn.encode("utf-8", "replace")) > SN_BYTES:
        raise PlatformError(41085)
    if sn and not (sn.isascii() and sn.isalnum()):
        raise PlatformError(41085)
    return sn


def _pictures(con: sqlite3.Connection, arguments: Arguments, wall: float) -> list[str]:
    items = arguments.values.get("attachments")
    if not items:
        raise PlatformError(41088)
    if not isinstance(items, list):
        raise invalid("attachments")
    if len(items) > PICTURES:
        raise PlatformError(41064)
    pictures = []
    for item in items:
        # The key is `type` here, not `msgtype` as everywhere else.
        if not isinstance(item, Mapping) or item.get("type") != "image":
            raise PlatformError(41065)
        inner = Arguments(item).inner("image")
        if inner is None:
            raise PlatformError(40063)
        pictures.append(inner.text("media_id", missing=40063, limit=256))
        check_media(con, pictures[-1], ALBUM, "image", wall)
    return pictures


def _told(row: sqlite3.Row) -> dict[str, object]:
    return {
        "product_id": row["product_id"],
        "description": row["description"],
        "price": row["price"],
        "product_sn": row["product_sn"],
        "attachments": [{"type": "image", "image": {"media_id": one}} for one in json.loads(row["pictures"])],
    }


_OF = "externalcontact/"
CALLS = {
    f"{_OF}add_product_album": Call("POST", add_product, writes=True),
    f"{_OF}get_product_album": Call("POST", get_product),
    f"{_OF}get_product_album_list": Call("POST", list_products, {"product_list": []}),
    f"{_OF}update_product_album": Call("POST", update_product, writes=True),
    f"{_OF}delete_product_album": Call("POST", delete_product, writes=True),
}
