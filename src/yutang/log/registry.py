"""The registry of event types: the vocabulary that ships, and the brand's own documents beside it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import replace

from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.kernel.errors import BadInput, Refused
from yutang.log.documents import EventTypeDocument, PropSpec
from yutang.log.vocabulary import VOCABULARY, EventType, Prop
from yutang.organisation.contracts import Viewer

TYPES: dict[str, type] = {"text": str, "number": float, "boolean": bool}
_SIGNS = re.compile(r"[^\w]+", re.UNICODE)
_names: dict[str, EventTypeDocument] = {}
_learning = threading.Lock()


def registered() -> list[EventTypeDocument]:
    """The current event type documents, by name."""
    found = (kept.document for kept in documents.current(EventTypeDocument))
    return [document for document in found if isinstance(document, EventTypeDocument)]


def refresh_vocabulary() -> None:
    """Read the registered types anew into this process's vocabulary. One query.

    One thread at a time: else who read before a type was kept could learn after who kept it, and forget it again.
    """
    with _learning:
        _learn(registered())


def save_event_type(document: EventTypeDocument, viewer: Viewer, *, shipped: bool = False) -> StoredDocument:
    """Keep the document as the next version of its name, and know its type from now on.

    Raises Refused for whoever does not run the whole brand, and BadInput for a name that another type bears.
    """
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("只有总部运营能定义事件类型。", "Only headquarters defines event types.")
    others = [other for other in registered() if other.name != document.name]
    check_event_type(document, others)
    kept = save_document(document, viewer.name, shipped=shipped)
    refresh_vocabulary()
    return kept


def check_event_type(document: EventTypeDocument, others: Iterable[EventTypeDocument]) -> None:
    """Raise BadInput where the document adds to an unknown type, or bears a name that another bears."""
    if document.adds_to is not None:
        if document.adds_to not in VOCABULARY.built_in:
            known = ", ".join(VOCABULARY.built_in)
            raise BadInput(
                f"adds_to 写的「{document.adds_to}」不是自带的事件类型，可用：{known}。",
                f"adds_to names “{document.adds_to}”, which is no shipped event type; there are: {known}.",
            )
        taken = sorted(document.props.keys() & VOCABULARY.built_in[document.adds_to].props.keys())
        if taken:
            raise BadInput(
                f"「{document.adds_to}」已有字段「{taken[0]}」。",
                f"“{document.adds_to}” has a prop “{taken[0]}” already.",
            )
    own = names_of(document)
    for other in others:
        both = sorted(own & names_of(other))
        if both:
            raise BadInput(
                f"名称「{both[0]}」已属于事件类型「{other.name}」。",
                f"The name “{both[0]}” belongs to the event type “{other.name}”.",
            )


def names_of(document: EventTypeDocument) -> set[str]:
    """Every name under which a document's event may be said, folded."""
    return set() if document.adds_to else {folded(name) for name in (document.name, *document.also)}


def folded(name: str) -> str:
    """A name without case, spaces and signs: "Lesson Started" is lesson_started."""
    return _SIGNS.sub("_", name).strip("_").lower()


def registered_as(said: str) -> EventTypeDocument | None:
    """The registered document of an event that senders call so; None where nobody defined it."""
    return _names.get(folded(said))


def _learn(known: Iterable[EventTypeDocument]) -> None:
    global _names
    types: dict[str, EventType] = {}
    names: dict[str, EventTypeDocument] = {}
    for document in known:
        amount = document.amount  # a column of its own, where a prop of that name would be told twice
        props = {name: _prop(name, said) for name, said in document.props.items() if name != amount}
        base = VOCABULARY.built_in.get(document.adds_to or "")
        if base is not None:
            before = types.get(base.name, base)
            types[base.name] = replace(before, props={**before.props, **props})
        elif document.adds_to is None:
            types[document.name] = EventType(
                document.name,
                document.title.zh,
                document.title.en,
                props,
                amount=amount is not None and document.props[amount].required,
            )
            names.update(dict.fromkeys(names_of(document), document))
    VOCABULARY.learn(types)
    _names = names


def _prop(name: str, said: PropSpec) -> Prop:
    zh, en = (said.title.zh, said.title.en) if said.title else (name, name)
    return Prop(TYPES[said.type], required=said.required, pii=said.pii, zh=zh, en=en)
