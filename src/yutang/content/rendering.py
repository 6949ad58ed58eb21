"""A content's text with its variables filled in, or with what is said where they are not known. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum

from yutang.kernel.errors import BadInput
from yutang.people.calling import LONGEST


class Variable(StrEnum):
    """What a text can name. NAME differs from person to person, GUIDE and STORE from sender to sender."""

    NAME = "name"
    GUIDE = "guide"
    STORE = "store"
    BRAND = "brand"


WORDS = {"称呼": Variable.NAME, "导购": Variable.GUIDE, "门店": Variable.STORE, "品牌": Variable.BRAND} | {
    variable.value: variable for variable in Variable
}
_BRACES = re.compile(r"\{\{[a-z_]*\}\}|\{([^{}]*)\}|[{}]")
_MOST_FALLBACK = 40


def check_variables(text: str) -> None:
    """Raise BadInput for a variable that the house does not know, or of which nobody said what is said without it."""
    for found in _BRACES.finditer(text):
        if found[0].startswith("{{"):
            continue
        inside = found[1]
        if inside is None:
            raise BadInput("文案里的大括号没有成对。", "the braces in the text do not match.")
        name, bar, fallback = inside.partition("|")
        if name.strip() not in WORDS:
            known = "、".join(list(WORDS)[:4])
            raise BadInput(
                f"没有「{name[:20]}」这个变量，可用：{known}。",
                f"There is no variable “{name[:20]}”; there are: {', '.join(Variable)}.",
            )
        if not bar or len(fallback) > _MOST_FALLBACK:
            raise BadInput(
                f"变量「{name}」要写不知道时怎么说（至多 {_MOST_FALLBACK} 个字），例如 {{{name}|您}}。",
                f"Say what is said where “{name}” is not known (at most {_MOST_FALLBACK} characters): {{{name}|you}}.",
            )


def spans(text: str) -> list[tuple[int, int, Variable]]:
    """Where the variables of a text stand, from left to right."""
    return [
        (found.start(), found.end(), WORDS[name])
        for found in _BRACES.finditer(text)
        if found[1] and (name := found[1].partition("|")[0].strip()) in WORDS
    ]


def render(text: str, values: Mapping[Variable, str], later: Collection[Variable] = ()) -> str:
    """The text as it is read. What is unknown or empty is said as the text says it is; `later`: what stays a variable,
    to be filled in for each reader (`people.calling`)."""

    def said(found: re.Match[str]) -> str:
        if found[1] is None:
            return found[0]
        name, _, fallback = found[1].partition("|")
        variable = WORDS.get(name.strip())
        if variable is None or variable in later:
            return found[0]
        return " ".join(values.get(variable, "").split())[:LONGEST] or fallback

    return _BRACES.sub(said, text)


def longest(text: str) -> str:
    """The text as long as it can become: for limits that are counted before it is known who speaks."""
    return render(text, dict.fromkeys(Variable, "长" * LONGEST))
