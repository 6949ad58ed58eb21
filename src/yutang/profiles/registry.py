"""The brand's own traits: their documents, kept and known to every process that asks."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Mapping

from django.db import transaction
from sqlglot import exp

from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import retire_document, save_document
from yutang.kernel.database import lock
from yutang.kernel.errors import BadInput, Refused
from yutang.log.registry import refresh_vocabulary
from yutang.organisation.contracts import Viewer
from yutang.profiles.contracts import Moment
from yutang.profiles.derived import Kind, compiled, kind_of
from yutang.profiles.documents import TraitDocument
from yutang.profiles.formulas import COMPARE, Call, names_in, size
from yutang.profiles.shapes import unknown
from yutang.profiles.traits import MORE, SHIPPED, TRAITS, Trait, TraitType

MOST = 200
LARGEST = 2000
"""No formula with those it names has more parts."""
_RULES = "1"  # grows when documents come to mean something else, so that an upgrade computes them anew
_LOCK = "traits"
_TAKEN = frozenset({"person", "next_edge_at"})
_learning = threading.Lock()


def learn_traits() -> None:
    """Read the brand's trait documents into this process, if any was kept since they were read last.

    One thread at a time: else who read before a trait was kept could learn after who kept it, and forget it again.
    """
    with _learning:
        mark = documents.latest_mark(TraitDocument)
        if mark != TRAITS.mark:
            refresh_vocabulary()  # what they count may be of a type of the brand's own
            learn_these(*_kept())
            TRAITS.mark = mark


def open_traits() -> None:
    """Know the brand's traits from now on, also those that another process keeps."""
    TRAITS.mark = None
    learn_traits()
    TRAITS.learner = learn_traits


def close_traits() -> None:
    """Ask no more whether there are others."""
    TRAITS.learner = None


def learn_these(current: Iterable[TraitDocument], former: Iterable[TraitDocument] = ()) -> None:
    """Know the traits of these documents, and no others. One whose formula cannot be worked out (it names what an
    upgrade took away) counts as one that is no more."""
    made: dict[str, Trait] = {}
    gone = list(former)
    standing = []
    every = {document.name: document for document in current}
    for document in every.values():
        try:
            made[document.name] = _Maker(every).trait(document.name)
            standing.append(document)
        except BadInput:
            gone.append(document)
    TRAITS.learn(made, tuple(standing), {document.name: _former(document) for document in gone})


def save_trait(document: TraitDocument, viewer: Viewer, *, base: int | None = None) -> StoredDocument:
    """Keep the document as the next version of its name; its values come with the next refresh.

    Raises Refused for whoever does not run the whole brand, and BadInput (see `check_trait`; also where `base` is no
    longer the last version).
    """
    _headquarters(viewer)
    with transaction.atomic():
        lock(_LOCK)  # two that name one another, kept at once, would close a cycle
        check_trait(document)
        kept = save_document(document, viewer.name, base=base)
    learn_traits()
    return kept


def remove_trait(name: str, viewer: Viewer) -> None:
    """Let a trait of the brand's be no more. Raises NotFound, Refused, and BadInput where a formula names it."""
    _headquarters(viewer)
    with transaction.atomic():
        lock(_LOCK)
        for document in _kept()[0]:
            if document.tree is not None and name in names_in(document.tree):
                raise BadInput(
                    f"属性「{document.name}」的公式用着「{name}」，请先改它。",
                    f"The formula of “{document.name}” names “{name}”; change that one first.",
                )
        retire_document(TraitDocument, name, viewer.name)
    learn_traits()


def check_trait(document: TraitDocument) -> Trait:
    """What the document would be. Raises BadInput for a name that ships, a type that it had not before, an unknown or
    unfit name in its formula, and a cycle, which it names."""
    current, former = _kept()
    name = document.name
    if name in SHIPPED or name in _TAKEN:
        raise BadInput(
            f"「{name}」是自带的属性，请换一个名字。", f"“{name}” is a trait that ships; choose another name."
        )
    every = {one.name: one for one in current}
    if name not in every and len(every) >= MOST:
        raise BadInput(f"自定义属性至多 {MOST} 个。", f"There are at most {MOST} traits of the brand's own.")
    made = _Maker({**every, name: document}).trait(name)
    for one in every.values():  # what names it must still be possible
        _Maker({**every, name: document}).trait(one.name)
    before = TRAITS.ever(name)
    if before is not None and any(one.name == name for one in (*current, *former)) and before.type is not made.type:
        raise BadInput(
            f"「{name}」原来是 {before.type}，这样改会成为 {made.type}，引用它的分群会读不懂；请用新名字。",
            f"“{name}” is of type {before.type} and would become {made.type}, which segments that use it could not "
            "read; choose a new name.",
        )
    return made


def stored_by(document: TraitDocument) -> str:
    """Changes with what an aggregate is computed by, and with nothing else."""
    said = document.as_data()
    asked = ("of", "take", "what", "where", "within", "since", "until", "after_last")
    text = json.dumps([_RULES, *(said.get(name) for name in asked)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def aggregates() -> list[TraitDocument]:
    """The documents whose values are stored."""
    return [document for document in TRAITS.documents if document.formula is None]


def _headquarters(viewer: Viewer) -> None:
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部运营能定义客户属性。", "Only headquarters defines traits.")


def _kept() -> tuple[list[TraitDocument], list[TraitDocument]]:
    current: list[TraitDocument] = []
    former: list[TraitDocument] = []
    for stored, stands in documents.latest(TraitDocument):
        assert isinstance(stored.document, TraitDocument)
        (current if stands else former).append(stored.document)
    return current, former


class _Maker:
    """Traits of documents that may name one another. `_open` holds the names on the way down, to refuse a cycle."""

    def __init__(self, every: Mapping[str, TraitDocument]) -> None:
        self._every = every
        self._open: list[str] = []
        self._made: dict[str, Trait] = {}
        self._sizes: dict[str, int] = {}

    def trait(self, name: str) -> Trait:
        """The trait of a name, shipped or the brand's."""
        if name in SHIPPED:
            return SHIPPED[name]
        if name in self._open:
            path = " → ".join([*self._open[self._open.index(name) :], name])
            raise BadInput(
                f"属性的公式互相引用成了环：{path}，请断开一处。",
                f"The formulas of traits name one another in a cycle: {path}; break it.",
            )
        if name not in self._made:
            document = self._every.get(name)
            if document is None:
                raise unknown("属性", "trait", name, [*SHIPPED, *self._every])
            self._open.append(name)
            self._made[name] = self._make(document)
            self._open.pop()
        return self._made[name]

    def _make(self, document: TraitDocument) -> Trait:
        tree = document.tree
        if tree is None:
            self._sizes[document.name] = 1
            return _trait(document, document.type, _stored(document))
        named = {name: self.trait(name) for name in names_in(tree)}
        whole = size(tree) + sum(self._sizes.get(name, 1) for name in named)
        if whole > LARGEST:
            raise BadInput(
                f"公式连同它引用的公式超过 {LARGEST} 项，请精简。",
                f"The formula with those that it names has more than {LARGEST} parts; simplify it.",
            )
        self._sizes[document.name] = whole
        kind = kind_of(tree, named.__getitem__)
        if kind not in (Kind.NUMBER, Kind.CONDITION):
            raise BadInput("公式的结果应是数或条件。", "A formula's result is a number or a condition.")
        type_ = TraitType.NUMBER if kind is Kind.NUMBER else TraitType.FLAG
        return _trait(document, type_, lambda moment: compiled(tree, moment, named.__getitem__))


def _stored(document: TraitDocument) -> Callable[[Moment], exp.Expr]:
    def value(_: Moment) -> exp.Expr:
        kept = exp.column(document.name, MORE)
        return exp.Coalesce(this=kept, expressions=[exp.Literal.number(0)]) if document.counts else kept

    return value


def _trait(document: TraitDocument, type_: TraitType, derive: Callable[[Moment], exp.Expr]) -> Trait:
    title, note, unit = document.title, document.note, document.unit
    return Trait(
        document.name,
        type_,
        "",
        title.zh,
        title.en,
        note.zh if note else "",
        note.en if note else "",
        derive=derive,
        words=(unit.zh, unit.en) if unit else None,
    )


def _former(document: TraitDocument) -> Trait:
    tree = document.tree
    holds = isinstance(tree, Call) and tree.what in COMPARE
    type_ = document.type if tree is None else TraitType.FLAG if holds else TraitType.NUMBER
    return _trait(document, type_, lambda _: exp.null())
