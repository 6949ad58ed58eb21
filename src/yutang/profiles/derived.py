"""Formulas as expressions: what each part is, and its value in a query that reads `profiles`.

Numbers are floating-point, so that every engine, and whoever works it out by hand, finds the same.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

from sqlglot import exp

from yutang.kernel.errors import BadInput
from yutang.profiles.conditions import text
from yutang.profiles.contracts import Moment
from yutang.profiles.formulas import TODAY, Formula, Name, Number, Said
from yutang.profiles.traits import Trait, TraitType, day_of, ratio, today

Find = Callable[[str], Trait]
"""The trait of a name. Raises BadInput."""


class Kind(StrEnum):
    """What a part of a formula is."""

    NUMBER = "number"
    TEXT = "text"
    DAY = "day"
    CONDITION = "condition"


_OF_TRAIT = {
    TraitType.COUNT: Kind.NUMBER,
    TraitType.MONEY: Kind.NUMBER,
    TraitType.NUMBER: Kind.NUMBER,
    TraitType.DAY: Kind.DAY,
    TraitType.INSTANT: Kind.DAY,
    TraitType.CHOICE: Kind.TEXT,
    TraitType.TEXT: Kind.TEXT,
    TraitType.FLAG: Kind.CONDITION,
}
_ORDER: dict[str, type[exp.Binary]] = {
    "=": exp.EQ,
    "!=": exp.NEQ,
    "<": exp.LT,
    "<=": exp.LTE,
    ">": exp.GT,
    ">=": exp.GTE,
}
_ARITHMETIC: dict[str, type[exp.Binary]] = {"+": exp.Add, "-": exp.Sub, "*": exp.Mul}
_WORDS = {
    Kind.NUMBER: ("数", "a number"),
    Kind.TEXT: ("文字", "a text"),
    Kind.DAY: ("日期", "a day"),
    Kind.CONDITION: ("条件", "a condition"),
}


def kind_of(formula: Formula, find: Find) -> Kind:
    """What a formula is. Raises BadInput where a part is not what its place asks for."""
    match formula:
        case Number():
            return Kind.NUMBER
        case Said():
            return Kind.TEXT
        case Name(name):
            return Kind.DAY if name == TODAY else _kind_of_trait(find(name))
    kinds = [kind_of(part, find) for part in formula.parts]
    what = formula.what
    if what in _ORDER:
        _same(what, kinds)
        if kinds[0] is Kind.CONDITION or (kinds[0] is Kind.TEXT and what not in ("=", "!=")):
            raise _bad(what, kinds[0])
        return Kind.CONDITION
    wanted = {"days_between": [Kind.DAY, Kind.DAY], "if": [Kind.CONDITION, Kind.NUMBER, Kind.NUMBER]}
    for kind, right in zip(kinds, wanted.get(what, [Kind.NUMBER] * len(kinds)), strict=True):
        if kind is not right:
            raise _bad(what, kind)
    return Kind.NUMBER


def _kind_of_trait(trait: Trait) -> Kind:
    kind = _OF_TRAIT.get(trait.type)
    if kind is None:
        raise BadInput(f"公式里不能用属性 {trait.name}。", f"The trait {trait.name} cannot stand in a formula.")
    return kind


def _same(what: str, kinds: list[Kind]) -> None:
    for kind in kinds[1:]:
        if kind is not kinds[0]:
            raise _bad(what, kind)


def _bad(what: str, kind: Kind) -> BadInput:
    zh, en = _WORDS[kind]
    return BadInput(f"公式里 {what} 的这一项不能是{zh}。", f"In the formula, {what} does not take {en} here.")


def compiled(formula: Formula, moment: Moment, find: Find) -> exp.Expr:
    """A checked formula's value: a DOUBLE, or true or false."""
    match formula:
        case Number(value):
            return _double(exp.Literal.number(repr(value)))
        case Said(value):
            return text(value)
        case Name(name):
            return today(moment) if name == TODAY else _of_trait(find(name), moment)
    parts = [compiled(part, moment, find) for part in formula.parts]
    what = formula.what
    if what in _ARITHMETIC:
        return exp.paren(_ARITHMETIC[what](this=parts[0], expression=parts[1]))
    if what in _ORDER:
        held = _ORDER[what](this=parts[0], expression=parts[1])
        return exp.Coalesce(this=exp.paren(held), expressions=[exp.false()])
    match what:
        case "/":
            return ratio(parts[0], parts[1])
        case "if":
            return exp.Case().when(parts[0], parts[1]).else_(parts[2])
        case "coalesce":
            return exp.Coalesce(this=parts[0], expressions=parts[1:])
        case "days_between":
            first, last = parts
            return _double(exp.DateDiff(this=last, expression=first, unit=exp.Literal.string("day")))
    # Engines do not agree on what the least of a number and nothing is.
    known = exp.and_(*[part.copy().is_(exp.null()).not_() for part in parts])
    made = exp.Least if what == "min" else exp.Greatest
    return exp.Case().when(known, made(this=parts[0], expressions=parts[1:]))


def _of_trait(trait: Trait, moment: Moment) -> exp.Expr:
    value = trait.expression(moment)
    match _OF_TRAIT[trait.type]:
        case Kind.NUMBER:
            return _double(value)
        case Kind.CONDITION:
            return exp.Coalesce(this=exp.paren(value), expressions=[exp.false()])
        case Kind.DAY if trait.type is TraitType.INSTANT:
            return day_of(value, moment)
    return value


def _double(value: exp.Expr) -> exp.Expr:
    return exp.cast(value, "double")
