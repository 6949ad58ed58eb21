"""What a plan says: the content that it names, and the very words of each sender."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from yutang.channels.contracts import Attached, AttachedKind, Link, MessageContent, Permit
from yutang.content.documents import LinkCard, Said
from yutang.content.queries import check_files, content_named
from yutang.content.rendering import Variable, check_variables, render
from yutang.files.contracts import digest_in
from yutang.kernel.documents import parse
from yutang.kernel.ids import NodeId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.people.calling import is_personal
from yutang.people.links import VARIABLE, general_link
from yutang.reach.documents import BroadcastDocument, Message
from yutang.reach.limits import way_of


def resolved(document: BroadcastDocument) -> BroadcastDocument:
    """The document with the text, the rest and the version of the content that it names, as it may be used now.

    Raises NotFound, Refused for a content that nobody approved, and BadInput for what the channel cannot carry.
    """
    name = document.message.content
    if name is None:
        check_variables(document.message.text)  # not where documents are read: plans of before there were any go on
        check_files(document.message)
        return document
    found = content_named(name)
    said = found.document
    check_files(said)
    return _with(document, Message(text=said.text, content=name, version=found.version, **said.parts()))


def unresolved(document: BroadcastDocument) -> BroadcastDocument:
    """The document as people wrote it: naming its content, whose words it takes anew at launch."""
    if document.message.content is None:
        return document
    return document.model_copy(update={"message": Message(content=document.message.content)})


def with_links(document: BroadcastDocument) -> BroadcastDocument:
    """The document with the address at which customers refuse in place of its variable.

    The platform sends one text to all recipients of a task (WeCom doc 92135), so it is the general address and nobody's
    own link. Put in at launch: a lost answer is matched by the very text.
    """
    message = document.message
    if VARIABLE not in message.text:
        return document
    return _with(document, message.model_copy(update={"text": message.text.replace(VARIABLE, general_link())}))


def _with(document: BroadcastDocument, message: Message) -> BroadcastDocument:
    filled = document.model_copy(update={"message": message})
    return parse(BroadcastDocument, filled.as_data())  # checks the platform's limit once more


def plain(document: BroadcastDocument) -> MessageContent:
    """What is said where nobody in particular speaks: every variable but the brand by its fall-back."""
    known = {Variable.BRAND: organisation.brand().name} if "{" in document.message.text else {}
    return _spoken(document.message, known)


@dataclass(frozen=True, slots=True)
class Known:
    """What is looked up once for many senders: the brand's name, and those of the stores."""

    brand: str
    stores: Mapping[NodeId, str]


def known_for(documents: Iterable[BroadcastDocument], senders: Iterable[SenderFacts]) -> Known:
    """What must be known for these senders to say these; nothing is looked up where none of them has a variable."""
    if not any("{" in document.message.text for document in documents):
        return Known("", {})
    return Known(organisation.brand().name, organisation.node_names({sender.store for sender in senders}))


def spoken(
    document: BroadcastDocument, sender: SenderFacts, house: Known, permit: Permit | None = None
) -> MessageContent:
    """The very words of a sender.

    A task of a mass send has one text for all its recipients, so what differs from person to person is said by its
    fall-back; elsewhere it stays a variable, which is filled in for each as it is read.
    """
    known = {Variable.BRAND: house.brand, Variable.STORE: house.stores.get(sender.store, "")}
    if one_text_for_all(document.channel):  # a list that is worked by hand stands in our own store, where no name may
        known[Variable.GUIDE] = sender.name
        return _spoken(document.message, known, permit)
    return _spoken(document.message, known, permit, later=(Variable.NAME,))


def one_text_for_all(channel: str) -> bool:
    """Whether everybody to whom an account writes at once reads the very same text."""
    way = way_of(channel)
    return way.taps and not way.by_home


def not_personal(channel: str, text: str) -> bool:
    """Whether a text calls its readers by name where it cannot: everybody then reads what stands behind the bar."""
    return is_personal(text) and one_text_for_all(channel)


def _spoken(
    message: Message, values: Mapping[Variable, str], permit: Permit | None = None, later: Collection[Variable] = ()
) -> MessageContent:
    links = () if message.link is None else (_link(message.link),)
    return MessageContent(render(message.text, values, later), links, permit, tuple(_attached(message)))


def beside(said: Said) -> MessageContent:
    """What stands beside a text, without the text."""
    return MessageContent("", () if said.link is None else (_link(said.link),), None, tuple(_attached(said)))


def _link(card: LinkCard) -> Link:
    return Link(card.title, card.url, card.summary, card.picture)


def _attached(message: Said) -> Iterator[Attached]:
    for picture in message.pictures:
        yield Attached(AttachedKind.IMAGE, *_at(picture.url, picture.says))
    if (card := message.mini_program) is not None:
        file, title, address = digest_in(card.picture), card.title, card.picture
        yield Attached(AttachedKind.MINI_PROGRAM, file, title, card.appid, card.page, "" if file else address)
    if message.video is not None:
        yield Attached(AttachedKind.VIDEO, *_at(message.video.url, message.video.title))
    if message.file is not None:
        yield Attached(AttachedKind.FILE, digest_in(message.file.url), message.file.name)


def _at(url: str, title: str) -> tuple[str, str, str, str, str]:
    file = digest_in(url)
    return file, title, "", "", "" if file else url


def digest_of(text: str, links: tuple[Link, ...] = (), attached: tuple[Attached, ...] = ()) -> str:
    """Stands for what is said, so that a lost answer can be matched to a task by its content.

    Of a link its title and address, of a mini program's card its title and app: a platform may give a picture another
    address, and complete a page. Of a file only what kind it is: the platform's id for it is another as soon as it was
    uploaded anew. Two contents that differ in nothing else are told apart all the same, since a sender has never two
    calls of one digest unanswered at once (`issuing._claim`).
    """
    said = text if not links else text + json.dumps([(link.title, link.url) for link in links], ensure_ascii=False)
    if attached:
        cards = [(one.kind.value, one.title, one.appid) for one in attached if one.kind is AttachedKind.MINI_PROGRAM]
        files = [(one.kind.value, "", "") for one in attached if one.kind is not AttachedKind.MINI_PROGRAM]
        said += json.dumps(sorted(cards + files), ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()
