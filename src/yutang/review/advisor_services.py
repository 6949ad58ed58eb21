"""Keeping the advisor's rules, and the answers to its three questions."""

from __future__ import annotations

from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.kernel.errors import BadInput, Refused
from yutang.organisation.contracts import Viewer
from yutang.reach.documents import BroadcastDocument
from yutang.review.advisor_documents import AdvisorDocument, Answers
from yutang.review.advisor_queries import DEFAULT


def keep_advisor(document: AdvisorDocument, viewer: Viewer, *, base: int | None = None) -> StoredDocument:
    """Keep the document as the next version, written from version `base` if that is given. Raises Refused for whoever
    is not headquarters, and BadInput for a kind that would begin with a plan that does not exist."""
    if not (viewer.may_operate and viewer.sees_all):
        raise Refused("品类顾问的规则只有总部能改。", "Only headquarters may change the advisor's rules.")
    known = {one.name for one in documents.documents_of(BroadcastDocument)}
    for kind in document.kinds:
        for name in kind.plans:
            if name not in known:
                raise BadInput(
                    f"{kind.letter} 类的 plans 里写了「{name}」，没有这个计划。请换成已有的，或删掉。",
                    f"Kind {kind.letter} names “{name}” under plans, and there is no such plan. Name one that exists, "
                    "or take it out.",
                )
    return save_document(document, viewer.name, base=base)


def answer(given: Answers, viewer: Viewer) -> StoredDocument:
    """Keep the answers of a category, or of the whole brand, beside those of the others. Raises as `keep_advisor`, and
    BadInput where somebody else kept the document meanwhile."""
    stored = documents.find(AdvisorDocument, DEFAULT)
    document = stored.document
    assert isinstance(document, AdvisorDocument)
    others = tuple(one for one in document.answers if one.category != given.category)
    return keep_advisor(document.model_copy(update={"answers": (*others, given)}), viewer, base=stored.version)
