"""Formulas over traits: a small arithmetic, read into a tree, never evaluated as code.

`+ − * /` (also `× ÷`), comparisons, numbers, 'texts', `today`, names of traits, and `FUNCTIONS`. Whatever is unknown
makes what is worked out from it unknown; so does dividing by zero. `coalesce` gives the first that is known, and `if`
takes its last part where the condition is not known to hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from yutang.kernel.errors import BadInput

TODAY = "today"
FUNCTIONS: Mapping[str, tuple[int, int]] = {
    "min": (2, 9),
    "max": (2, 9),
    "coalesce": (2, 9),
    "if": (3, 3),
    "days_between": (2, 2),
}
"""How many parts each takes, at least and at most."""
LONGEST = 600
DEEPEST = 40
_WORD = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([a-z][a-z0-9_]*)|'([^']*)'|(<=|>=|!=|≠|≤|≥|[-+*/×÷−(),<>=]))")
_SAME = {"×": "*", "÷": "/", "−": "-", "≤": "<=", "≥": ">=", "≠": "!="}
COMPARE = ("=", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    value: float


@dataclass(frozen=True, slots=True)
class Said:
    """A text to compare with."""

    value: str


@dataclass(frozen=True, slots=True)
class Name:
    """A trait, or `today`."""

    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """An operator or a function with its parts."""

    what: str
    parts: tuple[Formula, ...]


Formula = Number | Said | Name | Call


def parse_formula(written: str) -> Formula:
    """The tree of a formula. Raises BadInput that says where it cannot be read."""
    if len(written) > LONGEST:
        raise BadInput(f"公式超过 {LONGEST} 个字符，请拆开。", f"The formula is longer than {LONGEST}; split it.")
    return _Reader(written).whole()


def names_in(formula: Formula) -> list[str]:
    """The traits that a formula names, each once, as they come."""
    match formula:
        case Name(name):
            return [] if name == TODAY else [name]
        case Call(_, parts):
            return list(dict.fromkeys(name for part in parts for name in names_in(part)))
    return []


def size(formula: Formula) -> int:
    """How many parts it has."""
    return 1 + sum(map(size, formula.parts)) if isinstance(formula, Call) else 1


class _Reader:
    """Recursive descent: comparison, sum, product, sign, primary."""

    def __init__(self, written: str) -> None:
        self._words: list[tuple[str, str, int]] = []
        at = 0
        while written[at:].strip():
            found = _WORD.match(written, at)
            if found is None:
                where = at + 1 + len(written[at:]) - len(written[at:].lstrip())
                raise BadInput(
                    f"公式第 {where} 个字符「{written[where - 1]}」看不懂。",
                    f"Character {where} of the formula, “{written[where - 1]}”, is not understood.",
                )
            kind = ("number", "name", "text", "sign")[(found.lastindex or 1) - 1]
            said = found[found.lastindex or 1]
            self._words.append((kind, _SAME.get(said, said), found.start(found.lastindex or 1) + 1))
            at = found.end()
        self._end = len(written) + 1
        self._next = 0
        self._depth = 0

    def whole(self) -> Formula:
        formula = self._comparison()
        if self._next < len(self._words):
            self._stop("这里不该有", "does not belong here")
        return formula

    def _comparison(self) -> Formula:
        self._depth += 1
        if self._depth > DEEPEST:
            raise BadInput(f"公式嵌套超过 {DEEPEST} 层。", f"The formula nests deeper than {DEEPEST} levels.")
        left = self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._signed))
        if (sign := self._sign(COMPARE)) is not None:
            right = self._chain(("+", "-"), lambda: self._chain(("*", "/"), self._signed))
            left = Call(sign, (left, right))
        self._depth -= 1
        return left

    def _chain(self, signs: tuple[str, ...], below: Callable[[], Formula]) -> Formula:
        left = below()
        while (sign := self._sign(signs)) is not None:
            left = Call(sign, (left, below()))
        return left

    def _signed(self) -> Formula:
        if self._sign(("-",)) is not None:
            return Call("-", (Number(0), self._primary()))
        return self._primary()

    def _primary(self) -> Formula:
        if self._next >= len(self._words):
            raise BadInput("公式没有写完。", "The formula ends too early.")
        kind, said, _ = self._words[self._next]
        self._next += 1
        match kind:
            case "number":
                return Number(float(said))
            case "text":
                return Said(said)
            case "name":
                return self._call(said) if self._sign(("(",)) is not None else Name(said)
        if said != "(":
            self._next -= 1
            self._stop("这里不该有", "does not belong here")
        inner = self._comparison()
        self._close()
        return inner

    def _call(self, name: str) -> Formula:
        if name not in FUNCTIONS:
            known = ", ".join(FUNCTIONS)
            raise BadInput(
                f"公式里没有函数「{name}」，可用：{known}。",
                f"There is no function “{name}” in formulas; there are: {known}.",
            )
        parts = [self._comparison()]
        while self._sign((",",)) is not None:
            parts.append(self._comparison())
        self._close()
        least, most = FUNCTIONS[name]
        if not least <= len(parts) <= most:
            wanted = str(least) if least == most else f"{least}–{most}"
            raise BadInput(
                f"函数 {name} 要 {wanted} 项，这里有 {len(parts)} 项。",
                f"The function {name} takes {wanted} parts; here are {len(parts)}.",
            )
        return Call(name, tuple(parts))

    def _close(self) -> None:
        if self._sign((")",)) is None:
            self._stop("这里缺少 )，不该是", "stands where ) is missing")

    def _sign(self, signs: tuple[str, ...]) -> str | None:
        if self._next < len(self._words):
            kind, said, _ = self._words[self._next]
            if kind == "sign" and said in signs:
                self._next += 1
                return said
        return None

    def _stop(self, zh: str, en: str) -> None:
        if self._next >= len(self._words):
            raise BadInput("公式没有写完，可能缺少 )。", "The formula ends too early; perhaps a ) is missing.")
        _, said, at = self._words[self._next]
        raise BadInput(f"公式第 {at} 个字符：{zh}「{said}」。", f"Character {at} of the formula: “{said}” {en}.")
