"""How likely two persons are one human, by splink (Fellegi & Sunter 1969; extra `[match]`), which only this file knows.

splink works in a DuckDB of its own in this process's memory, which is told to have no place on the disk: names and
phone numbers go in, and only numbers and levels come out.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from yutang.kernel.errors import Unavailable

SAMPLED = 300_000  # pairs drawn to see how often what two strangers say agrees
FEWEST = 200  # persons below whom that cannot be seen; what is presumed below stands
DOUBLES = 0.02  # how many persons are presumed to be there twice

KEYS = ("name", "name_store", "number_end", "number_start", "number_sides", "mailbox")
"""Two persons are compared who agree on one of these columns."""


@dataclass(frozen=True, slots=True)
class Level:
    """How far a field of two persons agrees: the condition, and how often that is so of one human (m) and of two (u).

    m is presumed; u is measured in the pond for the fields of MEASURED, where it is large enough. The others' u stands
    as it is here: a sample of strangers holds hardly any who agree so far, so that one more would say too much.
    """

    name: str
    condition: str
    m: float
    u: float


_SAME_NAME = "name_l = name_r"
_WITHIN = "(length(name_l) >= 2 AND contains(name_r, name_l)) OR (length(name_r) >= 2 AND contains(name_l, name_r))"
_SHARED = "len(list_intersect(bought_l, bought_r))"
FIELDS: dict[str, tuple[Level, ...]] = {
    "name": (
        Level("same", _SAME_NAME, 0.70, 0.002),
        Level("alike", f"{_WITHIN} OR jaro_winkler_similarity(name_l, name_r) >= 0.92", 0.15, 0.004),
        Level("other", "ELSE", 0.15, 0.994),
    ),
    "phone": (
        Level("one_digit", "damerau_levenshtein(phone_l, phone_r) <= 1", 0.12, 0.000_01),
        Level("same_end", "right(phone_l, 8) = right(phone_r, 8)", 0.03, 0.000_01),
        Level("same_last_4", "right(phone_l, 4) = right(phone_r, 4)", 0.05, 0.000_1),
        Level("other", "ELSE", 0.80, 0.999_88),
    ),
    "mailbox": (
        Level("same", "mailbox_l = mailbox_r", 0.40, 0.000_05),
        Level("other", "ELSE", 0.60, 0.999_95),
    ),
    "store": (
        Level("same", "store_l = store_r", 0.85, 0.05),
        Level("other", "ELSE", 0.15, 0.95),
    ),
    "bought": (
        Level("much", f"{_SHARED} >= 3 AND 2 * {_SHARED} >= least(len(bought_l), len(bought_r))", 0.35, 0.01),
        Level("some", f"{_SHARED} >= 1", 0.40, 0.20),
        Level("other", "ELSE", 0.25, 0.79),
    ),
}
MEASURED = ("name", "store")


def installed() -> bool:
    """Whether splink is there."""
    return find_spec("splink") is not None


def needed() -> None:
    """Raise Unavailable, saying what to install, where splink is not."""
    if not installed():
        raise Unavailable(
            "查找疑似同一人需要 splink，这里没有安装。请运行 pip install 'yutang[match]' 后再试。",
            "To look for doubles splink is needed, which is not installed. Run pip install 'yutang[match]'.",
        )


def score(persons: pa.Table, least: float) -> pa.Table:
    """The pairs of persons who are one human with a probability of at least `least`.

    `persons` has `person`, the fields (`name`, `phone`, `mailbox`, `store`, `bought`, null where not known) and for
    each of KEYS a column `by_…` (null: not looked for by it). The answer has `first`, `second` (lower first), `score`,
    and for each field `<field>_level` (a Level's place; -1: not known of both) and `<field>_weight` (in bits, how much
    it speaks for one human; what is common speaks less).
    """
    needed()
    from splink import Linker, SettingsCreator, block_on
    from splink.backends.duckdb import DuckDBAPI

    logging.getLogger("splink").setLevel(logging.ERROR)
    database = DuckDBAPI(":memory:")
    try:
        for setting in ("SET temp_directory = ''", "SET max_temp_directory_size = '0KB'", "SET threads = 2"):
            database.duckdb_con.execute(setting)
        settings = SettingsCreator(
            link_type="dedupe_only",
            unique_id_column_name="person",
            probability_two_random_records_match=2 * DOUBLES / max(persons.num_rows, 100),
            comparisons=[_comparison(name, levels) for name, levels in FIELDS.items()],
            blocking_rules_to_generate_predictions=[block_on(f"by_{key}") for key in KEYS],
            retain_matching_columns=True,  # else it keeps the levels to itself; the fields' own columns are left there
            retain_intermediate_calculation_columns=True,
        )
        linker = Linker(database.register(persons), settings, log_level=None)
        if persons.num_rows >= FEWEST:
            linker.training.estimate_u_using_random_sampling(max_pairs=SAMPLED, seed=1)
        pairs = linker.inference.predict(threshold_match_probability=least, warning_mode="never")
        return _answer(pairs.as_pyarrow_table())  # type: ignore[no-untyped-call]  # splink's own
    finally:
        database.duckdb_con.close()


def _comparison(name: str, levels: tuple[Level, ...]) -> Any:
    from splink import comparison_level_library as library
    from splink import comparison_library

    made: list[Any] = [library.NullLevel(name)]
    for level in levels:
        kind = library.ElseLevel() if level.condition == "ELSE" else library.CustomLevel(level.condition, level.name)
        told: dict[str, Any] = {"m_probability": level.m, "u_probability": level.u}
        told["fix_u_probability"] = name not in MEASURED
        if level.condition == _SAME_NAME:
            told["tf_adjustment_column"] = "name"
        made.append(kind.configure(**told))
    return comparison_library.CustomComparison(made, output_column_name=name)


def _answer(pairs: pa.Table) -> pa.Table:
    """The columns that may leave: numbers and levels."""
    first, second = pairs["person_l"], pairs["person_r"]
    columns = {
        "first": pc.min_element_wise(first, second),
        "second": pc.max_element_wise(first, second),
        "score": pairs["match_probability"],
    }
    for name, levels in FIELDS.items():
        gamma = pairs[f"gamma_{name}"].cast(pa.int64())  # -1, or counted from the last level
        columns[f"{name}_level"] = pc.if_else(pc.less(gamma, 0), -1, pc.subtract(len(levels) - 1, gamma))
        weight = pairs[f"mw_{name}"]
        if f"mw_tf_adj_{name}" in pairs.column_names:
            weight = pc.add(weight, pairs[f"mw_tf_adj_{name}"])
        columns[f"{name}_weight"] = weight
    return pa.table(columns)
