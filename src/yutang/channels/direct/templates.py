"""Templates that a provider has approved, and which of them a text was written by.

A plan says what the customer reads, since that is what rules of content look at; the provider wants a template and its
values. So each account keeps its templates as its provider shows them, and whoever sends finds the one that fits.

In the setting a template is a block of lines, blocks are parted by an empty line: its id first (and words about it),
then its text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from yutang.channels.contracts import CannotCarry
from yutang.kernel.errors import BadInput


@dataclass(frozen=True, slots=True)
class Template:
    """A template: its id, the words beside it, its text with the provider's marks for values."""

    id: str
    words: tuple[str, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Fitting:
    """A template that a text was written by, with the values by the names of its marks, in their order."""

    template: Template
    values: dict[str, str]


def read(setting: str) -> tuple[Template, ...]:
    """The templates of a setting. Raises BadInput."""
    blocks = re.split(r"\n[ \t]*\n", setting.replace("\r\n", "\n").strip())
    found = []
    for block in filter(None, blocks):
        head, _, text = block.partition("\n")
        words = head.split()
        if not words or not text.strip():
            raise BadInput(
                f"模板「{head[:40]}」下面没有正文：每个模板先写一行编号，再写正文，模板之间空一行。",
                f"No text stands below the template “{head[:40]}”: write its id in a line, then its text, and leave an "
                "empty line between templates.",
            )
        found.append(Template(words[0], tuple(words[1:]), text.strip()))
    return tuple(found)


def fitting(text: str, templates: Sequence[Template], mark: re.Pattern[str]) -> Fitting | None:
    """The first template that the text was written by. `mark` finds a value's place and, as group 1, its name."""
    for one in templates:
        found = re.fullmatch(_pattern(one.text, mark), text.strip(), re.DOTALL)
        if found:
            names = list(dict.fromkeys(name for name in mark.findall(one.text)))
            return Fitting(one, {name: found.group(f"v{index}") for index, name in enumerate(names)})
    return None


def found_or_refused(text: str, templates: Sequence[Template], mark: re.Pattern[str]) -> Fitting:
    """As `fitting`. Raises CannotCarry."""
    found = fitting(text, templates, mark)
    if found is None:
        known = "、".join(one.id for one in templates[:8]) or "—"
        raise CannotCarry(
            f"文案与这个账号的任何一个已审核模板都对不上（{known}）。请照模板写，或在「设置 → 渠道」里补上模板。",
            f"The text fits none of the approved templates of this account ({known}). Write it as a template says, or "
            "add the template under Settings → Channels.",
        )
    return found


def _pattern(text: str, mark: re.Pattern[str]) -> str:
    parts: list[str] = []
    names: dict[str, int] = {}
    at = 0
    for found in mark.finditer(text):
        parts.append(re.escape(text[at : found.start()]))
        name = found.group(1)
        if name in names:
            parts.append(f"(?P=v{names[name]})")
        else:
            names[name] = len(names)
            parts.append(f"(?P<v{names[name]}>.+?)")
        at = found.end()
    parts.append(re.escape(text[at:]))
    return "".join(parts)
