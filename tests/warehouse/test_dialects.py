"""One SQL text, two engines."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from tests.warehouse.clickhouse import assert_equal_on_both_engines
from tests.warehouse.fixtures import rows
from yutang.kernel.errors import BadInput
from yutang.warehouse import dialects
from yutang.warehouse.contracts import Statement

START = datetime(2026, 1, 3, 4, 5, 6, 789012)
ZONES = ("Asia/Shanghai", "America/New_York", "UTC", "Asia/Kathmandu")


def some_lines(count: int = 400) -> pa.Table:
    """Lines of three months, across clock changes, with gaps, zero amounts and awkward texts."""
    draw = random.Random(7)
    return rows(
        "order_lines",
        *(
            {
                "source": "pos",
                "order_id": f"o{n // 3}",
                "ordinal": n % 3,
                "person": draw.choice([1, 2, 3, 4, None]),
                "store": draw.choice([10, 20, None]),
                "placed_at": START + timedelta(seconds=n * 25_111, microseconds=n),
                "sku": f"s{n}",
                "category": draw.choice(["coat", "茶叶", "it's", "a\\b", "", None]),
                "quantity": Decimal(draw.randint(-2000, 5000)) / 1000,
                "amount": Decimal(draw.randint(0, 99_999)) / 100,
                "discount": draw.choice([Decimal("0.00"), Decimal("1.50"), None]),
            }
            for n in range(count)
        ),
    )


def some_facts() -> pa.Table:
    return rows(
        "facts",
        *({"person": n, "zone": ZONES[n % 4], "bucket": n, "blocked": n == 2, "risk": None} for n in range(1, 7)),
    )


TABLES = {"order_lines": some_lines(), "facts": some_facts()}
PERSON = "SELECT person AS p, {} AS answer FROM order_lines GROUP BY person"
LINE = "SELECT sku, {} AS answer FROM order_lines"
WINDOW = "SELECT sku, {} OVER (PARTITION BY person ORDER BY placed_at, sku) AS answer FROM order_lines"

EXAMPLES = {
    "count": PERSON.format("count(*) FILTER (WHERE amount > 500) + count(DISTINCT category) + count(category)"),
    "sum": PERSON.format("sum(amount) FILTER (WHERE store = 10 AND quantity < -1.9)"),
    "avg": PERSON.format("avg(amount)"),
    "min": PERSON.format("min(placed_at)"),
    "max": PERSON.format("max(category)"),
    "arg_max": PERSON.format("arg_max(category, placed_at)"),
    "arg_min": PERSON.format("arg_min(store, placed_at)"),
    "any_value": PERSON.format("any_value(source)"),
    "logical_or": PERSON.format("bool_or(amount > 990)"),
    "logical_and": PERSON.format("bool_and(amount > 10)"),
    "stddev_samp": PERSON.format("stddev_samp(CAST(amount AS DOUBLE))"),
    "variance": PERSON.format("var_samp(CAST(amount AS DOUBLE))"),
    "median": PERSON.format("median(CAST(amount AS DOUBLE)) FILTER (WHERE store = 10)"),
    "percentile_cont": PERSON.format("quantile_cont(ordinal, 0.9)"),
    "array_agg": PERSON.format("list_contains(list(DISTINCT sku), 's7')"),
    "row_number": "SELECT sku FROM order_lines QUALIFY row_number() OVER (PARTITION BY person ORDER BY sku DESC) = 1",
    "rank": "SELECT sku, rank() OVER (PARTITION BY person ORDER BY order_id) AS answer FROM order_lines",
    "dense_rank": "SELECT sku, dense_rank() OVER (PARTITION BY person ORDER BY order_id) AS answer FROM order_lines",
    "ntile": WINDOW.format("ntile(5)"),
    "lag": WINDOW.format("lag(placed_at)"),
    "lead": WINDOW.format("lead(amount)"),
    "first_value": WINDOW.format("first_value(sku)"),
    "last_value": WINDOW.format("last_value(sku)"),
    "percent_rank": WINDOW.format("percent_rank()"),
    "coalesce": LINE.format("coalesce(category, 'none')"),
    "nullif": LINE.format("nullif(category, '')"),
    "greatest": LINE.format("greatest(amount, 50)"),
    "least": LINE.format("least(amount, quantity)"),
    "abs": LINE.format("abs(quantity)"),
    "round": LINE.format("round(amount, 1)"),
    "floor": LINE.format("floor(amount)"),
    "ceil": LINE.format("ceil(quantity)"),
    "sqrt": LINE.format("sqrt(CAST(amount AS DOUBLE))"),
    "ln": LINE.format("ln(1 + CAST(amount AS DOUBLE))"),
    "exp": LINE.format("exp(CAST(quantity AS DOUBLE))"),
    "power": LINE.format("power(CAST(amount AS DOUBLE), 2)"),
    "case": LINE.format("CASE WHEN amount > 500 THEN 'much' WHEN amount > 5 THEN 'some' END"),
    "if": LINE.format("if(store = 10, 1, 2)"),
    "cast": LINE.format("CAST(placed_at AS DATE)"),
    "try_cast": LINE.format("TRY_CAST(category AS BIGINT)"),
    "ratio": LINE.format("ratio(amount, discount)"),
    "lower": LINE.format("lower('ÄÖ' || sku)"),
    "upper": LINE.format("upper(sku)"),
    "trim": LINE.format("trim(category)"),
    "concat": LINE.format("concat(sku, category)"),
    "substring": LINE.format("substring(coalesce(category, '红茶叶'), 2, 1)"),
    "length": LINE.format("length(category)"),
    "replace": LINE.format("replace(sku, 's1', 't')"),
    "starts_with": LINE.format("starts_with(sku, 's1')"),
    "list_contains": LINE.format("list_contains(['coat', 'x'], coalesce(category, ''))"),
    "unnest": "SELECT sku FROM order_lines WHERE store IN (SELECT unnest([10, 30]))",
    "array": LINE.format("store = ANY([20, 30]) AND store IS NOT NULL"),
    "json_extract_scalar": LINE.format('json_extract_string(\'{"a": "茶", "n": 1}\', \'$.a\')'),
    "day_in_zone": LINE.format("day_in_zone(placed_at, 'Asia/Kathmandu')"),
    "local_in_zone": LINE.format("local_in_zone(placed_at, 'America/New_York')"),
    "utc_of_local": LINE.format("utc_of_local(date_trunc('day', placed_at), 'America/New_York')"),
    "timestamp_trunc": LINE.format("date_trunc('week', placed_at) + INTERVAL 3 DAY"),
    "date_diff": LINE.format("date_diff('hour', placed_at, TIMESTAMP '2026-03-04 05:06:07.123456')"),
    "extract": LINE.format("extract(minute FROM placed_at)"),
    "year": LINE.format("year(placed_at)"),
    "month": LINE.format("month(placed_at)"),
    "day": LINE.format("day(placed_at)"),
    "hour": LINE.format("hour(placed_at)"),
    "isodow": LINE.format("isodow(placed_at)"),
    "exists": "SELECT person FROM facts f WHERE NOT EXISTS (SELECT 1 FROM order_lines l WHERE l.person = f.person)",
}


def test_every_allowed_function_has_an_example_here() -> None:
    assert set(EXAMPLES) == dialects.ALLOWED


@pytest.mark.parametrize("function", EXAMPLES)
def test_an_allowed_function_answers_alike_on_both_engines(function: str) -> None:
    statement = Statement(EXAMPLES[function])
    assert function in set(dialects.functions(dialects.parse(EXAMPLES[function])))
    assert assert_equal_on_both_engines(statement, TABLES).num_rows > 0


@pytest.mark.parametrize("zone", ZONES)
def test_the_local_day_and_time_of_a_zone_in_a_column_are_alike(zone: str) -> None:
    text = """SELECT l.sku, day_in_zone(l.placed_at, f.zone) AS day, local_in_zone(l.placed_at, f.zone) AS wall
        FROM order_lines l JOIN facts f USING (person) WHERE f.zone = $zone"""
    answer = assert_equal_on_both_engines(Statement(text, {"zone": zone}), TABLES)
    placed = dict(
        zip(TABLES["order_lines"]["sku"].to_pylist(), TABLES["order_lines"]["placed_at"].to_pylist(), strict=True)
    )
    assert answer.num_rows > 0
    for row in answer.to_pylist():
        wall = placed[row["sku"]].replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        assert (row["day"], row["wall"]) == (wall.date(), wall)


class Colour(StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    "value",
    [
        7,
        -7,
        2**40,
        True,
        None,
        Decimal("12.50"),
        Decimal("-0.005"),
        0.1,
        'it\'s a \\ "茶" ; -- $x',
        Colour.RED,
        date(2026, 2, 28),
        datetime(2026, 3, 1, 1, 2, 3, 456789, tzinfo=timezone(timedelta(hours=8))),
        [1, 2],
        ["a'", "茶"],
    ],
    ids=repr,
)
def test_a_parameter_means_the_same_on_both_engines(value: object) -> None:
    assert_equal_on_both_engines(Statement("SELECT $value AS answer", {"value": value}), {})


def test_an_empty_list_matches_nobody() -> None:
    statement = Statement("SELECT person FROM facts WHERE list_contains($people, person)", {"people": []})
    assert assert_equal_on_both_engines(statement, TABLES).num_rows == 0


def test_aggregates_of_nothing_are_null_and_counts_zero() -> None:
    text = """SELECT count(*) AS n, sum(amount) AS total, max(sku) AS last, avg(quantity) AS mean
        FROM order_lines WHERE store = 99"""
    answer = assert_equal_on_both_engines(Statement(text), TABLES)
    assert answer.to_pylist() == [{"n": 0, "total": None, "last": None, "mean": None}]


def test_division_is_exact_enough_and_nested_parts_are_reworded_too() -> None:
    text = """SELECT person, ratio(sum(amount / 3), sum(quantity) / 2) AS a, ratio(1, 0) AS b,
        ratio(sum(amount), count(DISTINCT day_in_zone(placed_at, 'Asia/Shanghai'))) AS per_day
        FROM order_lines GROUP BY person ORDER BY person"""
    assert_equal_on_both_engines(Statement(text), TABLES)


def test_counts_add_to_numbers_with_a_sign() -> None:
    text = """WITH parts AS (
            SELECT person, count(*) AS n FROM order_lines GROUP BY person
            UNION ALL SELECT person, -5 FROM facts
            UNION ALL SELECT person, bucket FROM facts),
        ranked AS (
            SELECT person, CASE WHEN n > 0 THEN row_number() OVER (ORDER BY n, person) ELSE -1 END AS place FROM parts)
        SELECT (SELECT sum(n) FROM parts) AS n, sum(place) AS places, sum(if(place > 2, length('abc'), -1)) AS lengths
        FROM ranked"""
    assert assert_equal_on_both_engines(Statement(text), TABLES).num_rows == 1


def test_a_left_join_without_a_partner_gives_null() -> None:
    text = """SELECT f.person, l.sku, l.amount
        FROM facts f LEFT JOIN order_lines l ON l.person = f.person AND l.amount > 950"""
    assert None in assert_equal_on_both_engines(Statement(text), TABLES)["amount"].to_pylist()


@pytest.mark.parametrize("join", ["SEMI", "ANTI"])
def test_persons_with_and_without_lines_are_alike(join: str) -> None:
    text = f"SELECT f.person FROM facts f {join} JOIN order_lines l ON l.person = f.person ORDER BY person"
    found = assert_equal_on_both_engines(Statement(text), TABLES)["person"].to_pylist()
    assert found == ([1, 2, 3, 4] if join == "SEMI" else [5, 6])


def test_columns_of_a_join_keep_their_names_also_below() -> None:
    text = """WITH joined AS (SELECT f.person, l.amount FROM facts f JOIN order_lines l ON l.person = f.person)
        SELECT j.person, sum(j.amount) AS amount FROM joined j JOIN facts g ON g.person = j.person
        WHERE amount > 500 GROUP BY j.person ORDER BY j.person"""
    assert assert_equal_on_both_engines(Statement(text), TABLES).column_names == ["person", "amount"]


def test_windows_of_time_around_a_parameter_are_alike() -> None:
    text = """SELECT count(*) FILTER (WHERE placed_at > $at - INTERVAL 7 DAY AND placed_at <= $at) AS week,
        count(*) FILTER (WHERE placed_at <= $at - INTERVAL ($hours) HOUR) AS before FROM order_lines"""
    at = TABLES["order_lines"]["placed_at"][200].as_py().replace(tzinfo=UTC)
    answer = assert_equal_on_both_engines(Statement(text, {"at": at, "hours": 36}), TABLES).to_pylist()
    placed = [at.replace(tzinfo=None) - instant for instant in TABLES["order_lines"]["placed_at"].to_pylist()]
    week = sum(timedelta(0) <= age < timedelta(days=7) for age in placed)
    assert answer == [{"week": week, "before": sum(age >= timedelta(hours=36) for age in placed)}]


def test_visits_with_an_own_rhythm_are_alike() -> None:
    text = """WITH days AS (SELECT DISTINCT person, day_in_zone(placed_at, 'America/New_York') AS day FROM order_lines),
        gaps AS (
            SELECT person, date_diff('day', lag(day) OVER (PARTITION BY person ORDER BY day), day) AS gap FROM days)
        SELECT person, median(gap) AS rhythm, count(gap) AS n FROM gaps WHERE person IS NOT NULL GROUP BY person
        HAVING count(*) >= $least ORDER BY person"""
    assert assert_equal_on_both_engines(Statement(text, {"least": 2}), TABLES).num_rows == 4


def test_an_expression_runs_like_its_text() -> None:
    tree = dialects.parse("SELECT person, arg_max(amount, placed_at) AS last FROM order_lines GROUP BY person")
    assert_equal_on_both_engines(Statement(tree), TABLES)


def test_a_function_off_the_list_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match="epoch_us"):
        dialects.to_clickhouse(Statement("SELECT epoch_us(placed_at) AS e FROM order_lines"))


def test_a_difference_between_the_engines_is_noticed() -> None:
    """The comparison can fail: whether a list contains null is null here and false there."""
    ours = Statement("SELECT CASE WHEN list_contains([1], NULL) IS NULL THEN 'null' ELSE 'false' END AS answer")
    with pytest.raises(AssertionError, match="DuckDB"):
        assert_equal_on_both_engines(ours, {})
