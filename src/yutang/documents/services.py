"""Keeping documents."""

from __future__ import annotations

import hashlib
import json

from django.db import transaction

from yutang.documents.contracts import StoredDocument
from yutang.documents.models import DocumentVersion
from yutang.documents.queries import stored
from yutang.kernel.database import lock
from yutang.kernel.documents import Document
from yutang.kernel.errors import BadInput, NotFound

DOCUMENTS = "documents"  # the lock under which the next version of a name is found


def digest(document: Document) -> str:
    """SHA-256 of a document's data; equal documents have equal digests whatever their formatting."""
    text = json.dumps(document.as_data(), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def save_document(document: Document, author: str, *, shipped: bool = False, base: int | None = None) -> StoredDocument:
    """Keep `document` as the next version of its name; the same content again makes no new version.

    `base` is the version that it was written from (0: none); raises BadInput where that is no longer the last one.

    A shipped document never overwrites what people made of it: it is only added where nothing but shipped versions
    stand.
    """
    with transaction.atomic():
        lock(DOCUMENTS)
        last = DocumentVersion.objects.filter(kind=document.kind, name=document.name).order_by("-version").first()
        same = last is not None and last.digest == digest(document) and not last.retired
        edited = last is not None and not last.shipped
        if last is not None and (same or (shipped and edited)):
            return stored(last)
        if base is not None and base != (last.version if last else 0):
            raise BadInput(
                f"您打开之后，「{document.name}」已有第 {last.version if last else 0} 版，没有保存。"
                "请先复制您的文字，重新打开这一页，看看改了什么，再改一次。",
                f"Since you opened it, “{document.name}” has become version {last.version if last else 0}; nothing was "
                "saved. Copy your text, open the page again, see what changed, and make your change once more.",
            )
        row = DocumentVersion.objects.create(
            kind=document.kind,
            name=document.name,
            version=1 if last is None else last.version + 1,
            body=document.as_data(),
            digest=digest(document),
            author=author,
            shipped=shipped,
        )
        return stored(row)


def retire_document(kind: type[Document], name: str, author: str) -> None:
    """Let a document be current no more, as a version of its own; its history stays. Again does no harm.

    Raises NotFound. What ships does not come back by itself.
    """
    with transaction.atomic():
        lock(DOCUMENTS)
        last = DocumentVersion.objects.filter(kind=kind.KIND, name=name).order_by("-version").first()
        if last is None:
            raise NotFound(
                f"没有名为「{name}」的{kind.KIND}文档。", f"There is no {kind.KIND} document named “{name}”."
            )
        if last.retired:
            return
        DocumentVersion.objects.create(
            kind=kind.KIND,
            name=name,
            version=last.version + 1,
            body=last.body,
            digest=last.digest,
            author=author,
            retired=True,
        )
