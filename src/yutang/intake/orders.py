"""Files of order lines: read and checked block by block, then whole orders, then the tables that enter the warehouse.

Lines of one order may stand anywhere in the file. So blocks are spilled, without anything personal (persons are numbers
into `Persons`), into partitions that hold whole orders; a partition is one chunk of the import.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from yutang.intake.append import INCOMING, LINES
from yutang.intake.files.contracts import Rows
from yutang.intake.parsing import (
    SCIENTIFIC,
    Flags,
    Ints,
    Why,
    amount_trouble,
    decimals,
    scaled,
    scientific,
    text,
    time_trouble,
    times,
)
from yutang.intake.refused import RefusedRows
from yutang.kernel.ids import NodeId
from yutang.log import envelopes
from yutang.log.envelopes import costs_of
from yutang.people.contracts import TIMESTAMP

REQUIRED = ("order_id", "placed_at", "sku", "quantity", "amount")
IDENTITY = ("member", "phone")
OPTIONAL = ("store", "category", "discount", "unit_cost", "name")
LINES_PER_CHUNK = 1_000_000
LONGEST = 80  # characters of an order id; an event id holds it and the source in 128

SPILL = pa.schema(
    [
        ("row", pa.int64()),
        ("order_id", pa.string()),
        ("person", pa.int32()),
        ("placed_at", pa.int64()),
        ("store", pa.string()),
        ("sku", pa.string()),
        ("category", pa.string()),
        ("quantity", pa.int64()),
        ("amount", pa.int64()),
        ("discount", pa.int64()),
        ("cost", pa.int64()),
    ]
)


_SEPARATOR = "\x1f"
_NEVER = np.iinfo(np.int64).max
_MOST_COST = 9e18  # ten-thousandths × thousandths: more is no whole number of 64 bits


class Persons:
    """The distinct (member, phone) pairs of a file in order of appearance: name, and when first seen (microseconds)."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {_SEPARATOR: -1}  # both numbers as one text: a tuple of them takes twice as long
        self.names: dict[int, str] = {}
        self.born = np.empty(0, dtype=np.int64)

    def code(self, members: pa.Array, phones: pa.Array, names: pa.Array | None, at: Ints) -> npt.NDArray[np.int32]:
        """The code of each row's person, -1 for who has neither number."""
        both = pc.binary_join_element_wise(members, phones, _SEPARATOR).dictionary_encode()
        pairs = both.dictionary.to_pylist()
        codes = self._codes
        of = np.fromiter((codes.setdefault(pair, len(codes) - 1) for pair in pairs), dtype=np.int32, count=len(pairs))
        rows: npt.NDArray[np.int32] = of[both.indices.to_numpy(zero_copy_only=False)]
        self.born = np.concatenate([self.born, np.full(len(self) - len(self.born), _NEVER, dtype=np.int64)])
        np.minimum.at(self.born, rows[rows >= 0], at[rows >= 0])
        if names is not None:
            for index in np.flatnonzero(pc.not_equal(names, "").to_numpy(zero_copy_only=False)).tolist():
                self.names[int(rows[index])] = names[index].as_py()
        return rows

    def __len__(self) -> int:
        return len(self._codes) - 1

    def pairs(self) -> list[tuple[str, str]]:
        """Member number and phone of each code, empty where not given."""
        return [(member, phone) for member, _, phone in (pair.partition(_SEPARATOR) for pair in self._codes)][1:]


def check_block(
    rows: Rows, columns: dict[str, pa.Array], zone: str, currency: str, persons: Persons, refused: RefusedRows
) -> tuple[pa.RecordBatch, pa.Array]:
    """A block as SPILL, without its refused rows; and the order ids of those (an order is whole or not at all)."""
    order_id = text(columns["order_id"])
    placed_at, bad_time = times(columns["placed_at"], zone)
    quantity, bad_quantity = scaled(columns["quantity"], 3)
    amount, bad_amount = scaled(columns["amount"], 2, currency=currency)
    blank = pa.array([""] * len(rows), pa.string())
    zeros, none_bad = np.zeros(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=bool)
    discount, bad_discount = zeros, none_bad
    if "discount" in columns:
        discount, bad_discount = scaled(columns["discount"], 2, empty=0, currency=currency)
    cost, bad_cost = pa.nulls(len(rows), pa.int64()), none_bad
    if "unit_cost" in columns:
        cost, bad_cost = _costs(columns["unit_cost"], quantity, currency)
    words = {
        name: text(columns[name]) if name in columns else blank
        for name in ("store", "sku", "category", "member", "phone")
    }
    names = text(columns["name"]) if "name" in columns else None
    person = persons.code(words["member"], words["phone"], names, np.where(bad_time, _NEVER, placed_at))
    length = pc.utf8_length(order_id).to_numpy(zero_copy_only=False)

    for flags, column, why in (
        ((length == 0) | (length > LONGEST), "order_id",
         _for("订单号应为 1–80 个字符", "an order id has 1–80 characters")),
        (scientific(order_id), "order_id", _for(*SCIENTIFIC)),
        (scientific(words["member"]), "member", _for(*SCIENTIFIC)),
        (scientific(words["phone"]), "phone", _for(*SCIENTIFIC)),
        (person < 0, "member", _for("没有会员号，也没有手机号", "there is neither a member number nor a phone")),
        (bad_time, "placed_at", time_trouble),
        (_blank(words["sku"]), "sku", _for("缺少商品", "the product is missing")),
        (bad_quantity, "quantity", _for("不是数量，应类似 2 或 0.350", "it is no quantity such as 2 or 0.350")),
        (bad_amount, "amount", amount_trouble),
        (bad_discount | (discount < 0), "discount",
         _for("不是优惠金额，应类似 5.00", "it is no discount such as 5.00")),
        (bad_cost, "unit_cost",
         _for("不是单件成本：应为不小于零的数，币种同金额，至多四位小数；不知道就留空",
              "it is no cost of one piece: a number not below zero, in the currency of the amount, with at most four "
              "decimals; leave it empty where it is not known")),
        (~bad_quantity & ~bad_amount & (quantity < 0) & (amount >= 0), "quantity",
         _for("数量为负而金额不为负，不是退款", "a negative quantity without a negative amount is no refund")),
        (~bad_quantity & ~bad_amount & (quantity >= 0) & (amount < 0), "amount",
         _for("金额为负而数量不为负，不是退款", "a negative amount without a negative quantity is no refund")),
    ):  # fmt: skip
        wrong = np.flatnonzero(flags)
        if len(wrong):
            shown = text(columns[column]).take(pa.array(wrong)).to_pylist() if column in columns else [""] * len(wrong)
            refused.add_all(rows[wrong].tolist(), column, shown, why)
    batch = pa.record_batch(
        [pa.array(rows), order_id, pa.array(person), pa.array(placed_at), words["store"], words["sku"],
         words["category"], pa.array(quantity), pa.array(amount), pa.array(discount), cost],
        schema=SPILL,
    )  # fmt: skip
    if not refused.rows:
        return batch, pa.array([], pa.string())
    out = np.isin(rows, np.fromiter(refused.rows, dtype=np.int64))
    return batch.filter(pa.array(~out)), order_id.filter(pa.array(out))


def _costs(column: pa.Array, quantity: Ints, currency: str) -> tuple[pa.Array, Flags]:
    """What the pieces of each row cost, in cents, null where that is not said or is paid back; and which are bad."""
    each, bad = scaled(column, 4, empty=0, currency=currency)
    bad = bad | (each < 0) | (each.astype(np.float64) * np.abs(quantity) >= _MOST_COST)
    unknown = _blank(text(column)) | (quantity < 0) | bad
    cents = (np.where(unknown, 0, each) * np.where(unknown, 0, quantity) + 50_000) // 100_000  # as ROUND_HALF_UP does
    return pa.array(cents, pa.int64(), mask=unknown), bad


def _for(zh: str, en: str) -> Callable[[str], Why]:
    """A reason that is the same for every value."""
    return lambda value: (zh, en)


def _blank(column: pa.Array) -> Flags:
    flags: Flags = pc.equal(column, "").to_numpy(zero_copy_only=False)
    return flags


class Spill:
    """Blocks laid down in partitions that hold whole orders. Closed when left."""

    def __init__(self, directory: Path, rows: int) -> None:
        self.paths = [
            directory / f"spill-{index}.arrow" for index in range(max(1, min(64, -(-rows // LINES_PER_CHUNK))))
        ]
        self._writers = [pa.ipc.new_stream(pa.OSFile(str(path), "wb"), SPILL) for path in self.paths]

    def add(self, batch: pa.RecordBatch) -> None:
        """Lay each row into the partition of its order."""
        if len(self.paths) == 1:
            self._writers[0].write_batch(batch)
            return
        # Any function of the order's number will do; its last characters differ, and few are distinct.
        ends = pc.utf8_slice_codeunits(batch["order_id"], -3).dictionary_encode()
        share = np.array(
            [zlib.crc32(end.encode()) % len(self.paths) for end in ends.dictionary.to_pylist()], dtype=np.int64
        )
        of = share[ends.indices.to_numpy(zero_copy_only=False)]
        for index, writer in enumerate(self._writers):
            part = batch.filter(pa.array(of == index))
            if part.num_rows:
                writer.write_batch(part)

    def close(self) -> None:
        """End the files."""
        for writer in self._writers:
            writer.close()

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(path: Path, refused_orders: set[str]) -> tuple[pa.Table, pa.Table]:
    """A partition without the orders of which a row was refused; and the rows left out for that."""
    with pa.memory_map(str(path)) as file:
        table = pa.ipc.open_stream(file).read_all()
    if not refused_orders:
        return table, table.slice(0, 0)
    out = pc.is_in(table["order_id"], pa.array(refused_orders, pa.string()))
    return table.filter(pc.invert(out)), table.filter(out)


def check_orders(table: pa.Table, refused: RefusedRows) -> set[str]:
    """Refuse rows that contradict the first row of their order; returns the orders concerned."""
    compared = table.select(["row", "order_id", "person", "placed_at", "store"])
    placed = compared.filter(pc.greater_equal(table["quantity"], 0))
    code = _codes(placed["order_id"])
    if not len(code):
        return set()
    first = np.full(code.max() + 1, len(code), dtype=np.int64)
    np.minimum.at(first, code, np.arange(len(code)))
    rows = placed["row"].to_numpy()
    concerned: set[str] = set()
    for column, source, zh, en in (
        ("member", "person", "客户", "person"),
        ("placed_at", "placed_at", "时间", "time"),
        ("store", "store", "门店", "store"),
    ):
        values = _codes(placed[source]) if source == "store" else placed[source].to_numpy()
        wrong = np.flatnonzero(values != values[first[code]])
        for index in wrong.tolist():
            other = int(rows[first[code[index]]])
            refused.add(
                int(rows[index]),
                column,
                "",
                f"与第 {other} 行同一订单，{zh}却不同",
                f"row {other} is of the same order and names another {en}",
            )
        concerned.update(placed["order_id"].take(pa.array(wrong)).to_pylist())
    return concerned


def _codes(column: pa.ChunkedArray) -> Ints:
    codes: Ints = column.combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a file's rows mean beyond what they say: which stores, whose numbers, which money."""

    stores: dict[str, NodeId]
    source: str
    currency: str
    received_at: pa.Scalar
    synthetic: bool


def build(table: pa.Table, meaning: Meaning) -> tuple[pa.Table, pa.Table]:
    """The INCOMING and LINES of a partition: `order.placed` per order, `order.refunded` per order and time of refund.

    `person` is still a number into the file's `Persons`.
    """
    is_placed = pc.greater_equal(table["quantity"], 0)
    placed = table if pc.all(is_placed).as_py() else table.filter(is_placed)  # a copy of everything for nothing
    orders, lines = _events(placed, meaning, 0)
    refunds, _ = _events(table.filter(pc.invert(is_placed)), meaning, orders.num_rows, refund=True)
    return pa.concat_tables([orders, refunds]), lines


def _events(table: pa.Table, meaning: Meaning, base: int, *, refund: bool = False) -> tuple[pa.Table, pa.Table]:
    if not table.num_rows:
        return INCOMING.empty_table(), LINES.empty_table()
    key = table["order_id"]
    if refund:
        key = pc.binary_join_element_wise(key, table["placed_at"].cast(pa.string()), ":")
    code = _codes(key)
    if np.any(code[1:] < code[:-1]):
        order = np.argsort(code, kind="stable")
        table, code = table.take(pa.array(order)), code[order]
    starts = np.flatnonzero(np.concatenate([[True], code[1:] != code[:-1]]))
    head = table.take(pa.array(starts)).combine_chunks()
    kind = "refund" if refund else "order"
    event_id = pc.binary_join_element_wise(kind, meaning.source, head["order_id"], ":")
    if refund:
        event_id = pc.binary_join_element_wise(event_id, head["placed_at"].cast(pa.string()), ":")
    given = {
        "row": pa.array(np.arange(base, base + len(starts))),
        "event_id": event_id,
        "type": _same(head, "order.refunded" if refund else "order.placed"),
        "occurred_at": head["placed_at"].cast(TIMESTAMP),
        "received_at": _same(head, meaning.received_at),
        "person": head["person"].cast(pa.int64()),
        "store": _stores(head["store"], meaning.stores),
        "source": _same(head, meaning.source),
        "amount": decimals((-1 if refund else 1) * _summed(table["amount"], starts), 2),
        "currency": _same(head, meaning.currency),
        "props": _props(head["order_id"], meaning.synthetic),
        "order_id": head["order_id"],
        "has_lines": _same(head, not refund),
        "synthetic": _same(head, meaning.synthetic),
    }
    if not refund:
        sizes = np.diff(np.append(starts, table.num_rows))
        given["discount"] = decimals(_summed(table["discount"], starts), 2)
        given["lines_amount"] = decimals(_summed(table["amount"], starts), 2)
        costs = table["cost"].combine_chunks()
        given["cost"], given["uncosted"] = costs_of(table["amount"].to_numpy(), costs, sizes)
    columns = [given.get(field.name, pa.nulls(len(starts), field.type)) for field in INCOMING]
    return pa.table(columns, schema=INCOMING), _lines(table, starts, base)


def _lines(table: pa.Table, starts: Ints, base: int) -> pa.Table:
    """The lines as LINES, numbered within their order; they stand by order, each beginning at one of `starts`."""
    sizes = np.diff(np.append(starts, table.num_rows))
    columns = {
        "row": np.repeat(np.arange(base, base + len(starts)), sizes),
        "ordinal": (np.arange(table.num_rows) - np.repeat(starts, sizes)).astype(np.int32),
        "sku": table["sku"],
        "category": table["category"],
        "quantity": decimals(table["quantity"].to_numpy(), 3),
        "amount": decimals(table["amount"].to_numpy(), 2),
        "discount": decimals(table["discount"].to_numpy(), 2),
        "cost": envelopes.decimals(table["cost"].combine_chunks(), 2),
    }
    return pa.table(columns, schema=LINES)


def _summed(column: pa.ChunkedArray, starts: Ints) -> Ints:
    sums: Ints = np.add.reduceat(column.to_numpy(), starts)
    return sums


def _same(head: pa.Table, value: object) -> pa.Array:
    return pa.repeat(value if isinstance(value, pa.Scalar) else pa.scalar(value), head.num_rows)


def _stores(codes: pa.ChunkedArray, stores: dict[str, NodeId]) -> pa.Array:
    known = pa.array(list(stores), pa.string())
    return pa.array(list(stores.values()), pa.int64()).take(pc.index_in(codes, known))


def _props(order_ids: pa.ChunkedArray, synthetic: bool) -> pa.Array:
    """The events' props as JSON, as the pump writes them."""
    end = ',"synthetic":true}' if synthetic else "}"
    if pc.any(pc.match_substring_regex(order_ids, r"[\x00-\x1f\"\\]")).as_py():
        quoted = pa.array([json.dumps(one, ensure_ascii=False) for one in order_ids.to_pylist()], pa.string())
    else:
        quoted = pc.binary_join_element_wise('"', order_ids, '"', "")
    return pc.binary_join_element_wise('{"order_id":', quoted, end, "")


def unknown_stores(table: pa.Table, stores: dict[str, NodeId]) -> Iterator[str]:
    """The stores' codes in a partition that the tree does not know."""
    for code in pc.unique(table["store"]).to_pylist():
        if code and code not in stores:
            yield code
