"""Keeping documents."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

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
        if last is not None and _stands(document, last, shipped=shipped):
            return stored(last)
        if base is not None and base != (last.version if last else 0):
            raise BadInput(
                f"您打开之后，「{document.name}」已有第 {last.version if last else 0} 版，没有保存。"
                "请先复制您的文字，重新打开这一页，看看改了什么，再改一次。",
                f"Since you opened it, “{document.name}” has become version {last.version if last else 0}; nothing was "
                "saved. Copy your text, open the page again, see what changed, and make your change once more.",
            )
        row = _after(last, document, author, shipped=shipped)
        row.save(force_insert=True)
        return stored(row)


def save_shipped(documents: Sequence[Document], author: str) -> None:
    """Keep shipped documents as `save_document` would keep each: all or none, asking once for all of them."""
    with transaction.atomic():
        lock(DOCUMENTS)
        rows = DocumentVersion.objects.filter(name__in={document.name for document in documents})
        last = {(row.kind, row.name): row for row in rows.defer("body").order_by("version")}
        DocumentVersion.objects.bulk_create(
            _after(before, document, author, shipped=True)
            for document in documents
            if (before := last.get((document.kind, document.name))) is None
            or not _stands(document, before, shipped=True)
        )


def _stands(document: Document, last: DocumentVersion, *, shipped: bool) -> bool:
    """Whether nothing is to be kept: it says the same, or people made something of what shipped."""
    return (last.digest == digest(document) and not last.retired) or (shipped and not last.shipped)


def _after(last: DocumentVersion | None, document: Document, author: str, *, shipped: bool) -> DocumentVersion:
    """The next version, not kept yet."""
    return DocumentVersion(
        kind=document.kind,
        name=document.name,
        version=1 if last is None else last.version + 1,
        body=document.as_data(),
        digest=digest(document),
        author=author,
        shipped=shipped,
    )


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
