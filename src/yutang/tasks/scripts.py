"""Which words fit somebody: contents of the library that are for a chat, may be used, and were written for the
step of the ladder on which the person stands, or for all. Shipped ones that speak of a moment are offered then only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from yutang.content.documents import Content, Place, Step, Voice
from yutang.content.queries import content_named, contents
from yutang.content.rendering import Variable, render
from yutang.kernel.ids import PersonId
from yutang.organisation.contracts import SenderFacts
from yutang.organisation.queries import brand, node_names
from yutang.people.contracts import PersonCard
from yutang.people.links import VARIABLE, link_of
from yutang.tasks.beside import Beside
from yutang.tasks.sending import Script

SHOWN = 3
MOMENTS: Mapping[str, Callable[[Beside], bool]] = {
    "first_visit_thanks": lambda one: one.orders == 1,
    "long_time_no_see": lambda one: one.rhythm is not None and one.rhythm.late_by(one.today) > 0,
    "usual_is_back": lambda one: one.need is not None,
}
"""When shipped contents fit that speak of something which is not true of everybody."""


def scripts_for(one: Beside, sender: SenderFacts, language: str) -> list[Script]:
    """At most three for a person, as this account would say them: first those about a moment, then those of a step."""
    steps = _steps(one)
    fitting: list[tuple[tuple[bool, bool, bool, str], Content]] = []
    for facts in contents():
        if facts.usable is None:
            continue
        name = facts.document.name
        found = facts.document if facts.usable == facts.version else content_named(name).document
        moment = MOMENTS.get(name)
        wanted = (not found.steps or steps & set(found.steps)) and (moment is None or moment(one))
        example = facts.shipped and found.attached  # its addresses lead nowhere
        if found.place is Place.CHAT and found.uploaded and wanted and not example:
            rank = (moment is None, not found.steps, found.voice is not Voice.GUIDE, name)
            fitting.append((rank, found))
    values = values_of(one.card, sender)
    chosen = sorted(fitting, key=lambda pair: pair[0])[:SHOWN]
    return [_script(document, one.person, values, language) for _rank, document in chosen]


def script_named(name: str, card: PersonCard, sender: SenderFacts, language: str) -> Script:
    """The words of that name, as this account would say them to this person. Raises NotFound, Refused."""
    return _script(content_named(name).document, card.person, values_of(card, sender), language)


def values_of(card: PersonCard, sender: SenderFacts) -> dict[Variable, str]:
    """What the variables of a text stand for."""
    store = node_names([sender.store]).get(sender.store, "")
    return {
        Variable.NAME: card.name or "", Variable.GUIDE: sender.name, Variable.STORE: store,
        Variable.BRAND: brand().name,
    }  # fmt: skip


def _steps(one: Beside) -> set[Step]:
    """Where a person stands, as far as purchases tell: whoever comes in a rhythm is read as a fan too."""
    if not one.orders:
        return {Step.PROSPECT}
    steady = one.rhythm is not None and one.rhythm.steady
    return {Step.CUSTOMER, Step.FAN} if steady else {Step.CUSTOMER}


def _script(document: Content, person: PersonId, values: Mapping[Variable, str], language: str) -> Script:
    text = render(document.text, values)
    if VARIABLE in text:
        text = text.replace(VARIABLE, link_of(person))
    return Script(document.name, document.title.text(language), text, said=document if document.attached else None)
