"""Documents as the text that people edit: reading it, and saying what is wrong with it."""

from __future__ import annotations

from typing import TypeVar

from django.http import HttpRequest

from yutang.console.pages import language
from yutang.documents.contracts import StoredDocument
from yutang.kernel.documents import MAX_BYTES, Document, diff, read
from yutang.kernel.errors import BadDocument, BadInput, YutangError

D = TypeVar("D", bound=Document)


def read_as(kind: type[D], text: str) -> D:
    """The document of this kind that a text says. Raises BadInput or BadDocument."""
    if len(text.encode()) > MAX_BYTES:
        raise BadInput("文档太长，请拆开。", "The document is too long; split it.")
    document = read(text)
    if not isinstance(document, kind):
        raise BadInput(
            f"这里要写 kind: {kind.KIND}，而不是 {document.kind}。",
            f"Write kind: {kind.KIND} here, not {document.kind}.",
        )
    return document


def sentences(error: YutangError) -> list[str]:
    """What is wrong, each with its place, in the reader's language."""
    if not isinstance(error, BadDocument):
        return [error.sentence(language())]
    english = language().startswith("en")
    return [
        f"{problem.where}: {problem.en}" if english else f"{problem.where}：{problem.zh}" for problem in error.problems
    ]


def base_version(request: HttpRequest) -> int:
    """Which version the text that was sent began from; 0 for a new document."""
    given = request.POST.get("version", "0")
    return int(given) if given.isdecimal() and len(given) < 9 else 0


def compared(history: list[StoredDocument], wanted: str) -> dict[str, object]:
    """The history (newest first), and what changed since the version that `?version=` names."""
    earlier = next((stored for stored in history[1:] if str(stored.version) == wanted), None)
    changes = diff(earlier.document, history[0].document).splitlines()[2:] if earlier else []
    return {"history": history, "earlier": earlier, "changes": changes}
