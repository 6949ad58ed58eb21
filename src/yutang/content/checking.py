"""Which content rule a text breaks, with which words, and what the law says. Pure: it touches nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from yutang.content.documents import Clause, ContentRule, ContentRules, Place
from yutang.content.patterns import END, LONGEST, Folded, Groups, Pattern, folded, pattern, respelled
from yutang.kernel.documents import Note, Title
from yutang.kernel.errors import BadInput

_SENTENCES = re.compile(f"[^{END}]+")
_ENDS = re.compile(f"[{END}]")
_SIGNS = " ,，、;；:：!！"  # behind a find they are no part of it
_NEAR = 30  # characters between a find and what must stand beside it

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Finding:
    """Very words of a text that may not be said: `text[start:end]` is `words`."""

    rule: str
    title: Title
    law: Note
    words: str
    start: int
    end: int

    def sentence(self) -> tuple[str, str]:
        """What is told to whoever wrote it, in Chinese and in English."""
        return (
            f"文案里的「{self.words}」违反「{self.title.zh}」（{self.law.zh}），请修改。",
            f"The text says “{self.words}”, which breaks the rule “{self.title.en}” ({self.law.en}); change it.",
        )


class BrokenRules(BadInput):
    """A text that may not be said; `findings` say where."""

    def __init__(self, findings: Sequence[Finding], place_zh: str = "", place_en: str = "") -> None:
        told = [finding.sentence() for finding in findings[:3]]
        super().__init__(
            place_zh + "".join(zh for zh, _ in told), place_en + " ".join(en for _, en in told)
        )  # three are enough to begin with
        self.findings = tuple(findings)


def check(text: str, rules: ContentRules | None, place: Place = Place.CHAT, *, linked: bool = False) -> list[Finding]:
    """Every find, by its place in the text; finds of one rule that overlap are one.

    `place`: where it is to be said. `linked`: a card that opens a page goes with it. Without rules nothing is found.
    """
    if rules is None or not text:
        return []
    plain = respelled(folded(text), rules.spellings)
    groups = rules.vocabulary()
    names = _spans([name.replace("|", " ") for name in rules.names], plain.text, groups)
    found = [
        one
        for rule in rules.rules
        for one in _joined(_of_rule(text, plain, rule, groups, place, names, linked=linked), text)
    ]
    return sorted(found, key=lambda one: (one.start, one.rule))


def require_clean(
    text: str, rules: ContentRules | None, place: Place = Place.CHAT, *, linked: bool = False, at: str = ""
) -> None:
    """Raise BrokenRules, which begins with `at`, the name of the field."""
    findings = check(text, rules, place, linked=linked)
    if findings:
        raise BrokenRules(findings, f"{at}：" if at else "", f"{at}: " if at else "")


def _of_rule(
    text: str,
    plain: Folded,
    rule: ContentRule,
    groups: Groups,
    place: Place,
    names: list[Span],
    *,
    linked: bool,
) -> Iterator[Finding]:
    for clause in rule.every_clause():
        if clause.places and place not in clause.places:
            continue
        spans = _spans(clause.say, plain.text, groups)
        if not spans or not _has_needs(clause, plain.text, groups, linked=linked):
            continue
        excuses = _Excuses.of(plain.text, rule, clause, names, groups)
        beside = [_spans([one], plain.text, groups) for one in clause.beside]
        for span in spans:
            if excuses.hold_for(span):
                continue
            pieces = [_nearest(span, found, excuses, plain.text) for found in beside]
            if None in pieces:
                continue
            every = [span, *(piece for piece in pieces if piece is not None)]
            begin, stop = plain.original(min(start for start, _ in every), max(end for _, end in every))
            stop = begin + len(text[begin:stop].rstrip(_SIGNS))
            yield Finding(rule.name, rule.title, rule.law, text[begin:stop], begin, stop)


@dataclass(frozen=True, slots=True)
class _Excuses:
    """What makes finds of a clause harmless in one text: what covers them, whole sentences, what they touch."""

    text: str
    covers: list[Span]
    sentences: list[Span]
    before: list[Pattern]
    behind: list[Pattern]

    @classmethod
    def of(cls, text: str, rule: ContentRule, clause: Clause, names: list[Span], groups: Groups) -> _Excuses:
        return cls(
            text,
            [*names, *_spans((*rule.unless, *clause.unless), text, groups)],
            _excused(text, (*rule.unless_beside, *clause.unless_beside), groups),
            [pattern(one, groups) for one in (*rule.unless_before, *clause.unless_before)],
            [pattern(one, groups) for one in (*rule.unless_behind, *clause.unless_behind)],
        )

    def hold_for(self, span: Span) -> bool:
        start, end = span
        return (
            any(first <= start and end <= last for first, last in self.covers)
            or any(first <= start < last for first, last in self.sentences)
            or any(one.ends_at(self.text, start) for one in self.before)
            or any(one.begins_at(self.text, end) for one in self.behind)
        )


def _nearest(span: Span, found: list[Span], excuses: _Excuses, text: str) -> Span | None:
    """Of what must stand beside a find, that which is nearest in its sentence; None where nothing is near enough."""
    start, end = span
    near = [
        (gap, other)
        for other in found
        if (gap := max(other[0] - end, start - other[1])) in range(_NEAR + 1)
        and not _ENDS.search(text, min(end, other[1]), max(start, other[0]))
        and not excuses.hold_for(other)
    ]
    return min(near)[1] if near else None


def _spans(texts: Iterable[str], plain: str, groups: Groups) -> list[Span]:
    return [span for text in texts for one in _apart(text, groups) for span in one.spans(plain)]


@lru_cache(maxsize=4096)
def _apart(text: str, groups: Groups) -> tuple[Pattern, ...]:
    """The patterns of a group that stands alone: each finds what it finds, where one of all would find the first."""
    words = next((words for name, words in groups if text == f"{{{name}}}"), ())
    apart = words if words and max(map(len, words)) <= LONGEST else (text,)
    return tuple(pattern(one, groups) for one in apart)


def _has_needs(clause: Clause, plain: str, groups: Groups, *, linked: bool) -> bool:
    if not clause.needs:
        return True
    if linked and "{link}" in clause.needs:
        return True
    return any(pattern(one, groups).stands_in(plain) for one in clause.needs)


def _excused(plain: str, texts: Iterable[str], groups: Groups) -> list[Span]:
    """The sentences in which something stands that makes all of them harmless, such as a prohibition."""
    known = [pattern(text, groups) for text in texts]
    if not known:
        return []
    return [found.span() for found in _SENTENCES.finditer(plain) if any(one.stands_in(found[0]) for one in known)]


def _joined(found: Iterable[Finding], text: str) -> list[Finding]:
    """Those of one rule that overlap as one: 全网最 and 最低价 are 全网最低价."""
    kept: list[Finding] = []
    for one in sorted(found, key=lambda finding: (finding.start, finding.end)):
        if kept and one.start < kept[-1].end:
            end = max(kept[-1].end, one.end)
            kept[-1] = replace(kept[-1], words=text[kept[-1].start : end], end=end)
        else:
            kept.append(one)
    return kept
