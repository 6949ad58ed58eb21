"""Which words fit somebody: of the shipped broadcasts, those about everybody, and for whoever is later than usual those
about the overdue. What stores wrote for plans of their own is not offered to others."""

from __future__ import annotations

from yutang.documents.queries import current
from yutang.kernel.errors import NotFound
from yutang.people.links import VARIABLE
from yutang.reach.documents import BroadcastDocument
from yutang.tasks.beside import Beside
from yutang.tasks.sending import Script

SHOWN = 3
OVERDUE = "overdue"


def scripts_for(one: Beside, channel: str, language: str) -> list[Script]:
    """At most three for a person."""
    late = one.rhythm is not None and one.rhythm.late_by(one.today) > 0
    about = {None, OVERDUE} if late else {None}
    fitting = [
        document for document in _shipped() if document.channel == channel and document.audience.segment in about
    ]
    fitting.sort(key=lambda document: (document.audience.everyone, -document.priority, document.name))
    return [_script(document, language) for document in fitting[:SHOWN]]


def script_named(name: str, language: str) -> Script:
    """The words of that name. Raises NotFound."""
    found = next((document for document in _shipped() if document.name == name), None)
    if found is None:
        raise NotFound(f"没有「{name[:63]}」这份话术。", f"There are no words named “{name[:63]}”.")
    return _script(found, language)


def _shipped() -> list[BroadcastDocument]:
    found = [one.document for one in current(BroadcastDocument) if one.shipped]
    return [one for one in found if isinstance(one, BroadcastDocument)]


def _script(document: BroadcastDocument, language: str) -> Script:
    text = "\n".join(line for line in document.message.text.splitlines() if VARIABLE not in line)
    return Script(
        document.name, document.title.text(language), text.strip(), document.purpose, document.topic, document.value
    )
