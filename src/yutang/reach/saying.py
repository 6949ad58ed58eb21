"""What a plan says: the content that it names, and the very words of each sender."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from yutang.channels.contracts import Link, MessageContent, Permit
from yutang.content.documents import LinkCard
from yutang.content.queries import content_named
from yutang.content.rendering import Variable, check_variables, render
from yutang.kernel.documents import parse
from yutang.kernel.errors import BadInput
from yutang.kernel.ids import NodeId
from yutang.organisation import queries as organisation
from yutang.organisation.contracts import SenderFacts
from yutang.people.links import VARIABLE, general_link
from yutang.reach.documents import BroadcastDocument, Message
from yutang.reach.limits import way_of

_KINDS = {"pictures": "图片", "mini_program": "小程序卡片", "video": "视频"}


def resolved(document: BroadcastDocument) -> BroadcastDocument:
    """The document with the text, card and version of the content that it names, as it may be used now.

    Raises NotFound, Refused for a content that nobody approved, and BadInput for what a broadcast cannot carry.
    """
    name = document.message.content
    if name is None:
        check_variables(document.message.text)  # not where documents are read: plans of before there were any go on
        return document
    found = content_named(name)
    unfit = [kind for kind in found.document.kinds if kind in _KINDS]
    if unfit:
        raise BadInput(
            f"内容「{found.document.title.zh}」里有{'、'.join(_KINDS[kind] for kind in unfit)}，"
            "群发计划只能带文字和链接卡片：请换一个内容，或由导购在聊天里自己发。",
            f"The content “{found.document.title.en}” has {', '.join(kind.replace('_', ' ') for kind in unfit)}; a "
            "broadcast carries text and link cards only. Choose another one, or let guides send it in their chats.",
        )
    text, link = found.document.text, found.document.link
    return _with(document, Message(text=text, content=name, version=found.version, link=link))


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

    A task has one text for all its recipients, so what differs from person to person is said by its fall-back.
    """
    known = {Variable.BRAND: house.brand, Variable.STORE: house.stores.get(sender.store, "")}
    way = way_of(document.channel)
    if way.taps and not way.by_home:  # a list that is worked by hand stands in our own store, where no name may
        known[Variable.GUIDE] = sender.name
    return _spoken(document.message, known, permit)


def _spoken(message: Message, values: Mapping[Variable, str], permit: Permit | None = None) -> MessageContent:
    links = () if message.link is None else (_link(message.link),)
    return MessageContent(render(message.text, values), links, permit)


def _link(card: LinkCard) -> Link:
    return Link(card.title, card.url, card.summary, card.picture)


def digest_of(text: str, links: tuple[Link, ...] = ()) -> str:
    """Stands for what is said, so that a lost answer can be matched to a task by its content.

    Of a card its title and address: a platform may give its picture another address.
    """
    said = text if not links else text + json.dumps([(link.title, link.url) for link in links], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()
