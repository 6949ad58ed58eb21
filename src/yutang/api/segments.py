"""Segments: their documents, sizes and members."""

from __future__ import annotations

from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Body, Query, Router, Schema
from pydantic import Field

from yutang.api.door import REFUSALS, Limit, Offset, Token, viewer_of, warehouse
from yutang.api.files import AS_FILES, MOST_ROWS, Format, file_of
from yutang.api.schemas import (
    CountOut,
    MemberOut,
    MembersOut,
    SegmentOut,
    TitleOut,
    next_offset,
    shown_traits,
    trait_names,
    under_its_name,
    visible_codes,
)
from yutang.connect.audiences import audience
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.kernel.documents import parse
from yutang.segments import lists, services
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument

router = Router(tags=["segments"])
MOST_LISTED, MOST_TOLD = 100_000, 1000

_EXAMPLE = {
    "kind": "segment",
    "name": "spent_a_lot",
    "schema": 1,
    "title": {"zh": "高消费", "en": "Spent a lot"},
    "where": {"all": [{"trait": "spend_365d", "at_least": 1000}, {"trait": "orders_90d", "at_least": 2}]},
}
DocumentIn = Annotated[dict[str, Any], Body(examples=[_EXAMPLE], description="A document of `kind: segment`.")]


class AudienceOut(Schema):
    """An audience: hashes, and why the other members are not among them."""

    hashes: list[str]
    members: int
    without_consent: int
    without_phone: int


def _shown(kept: StoredDocument) -> SegmentOut:
    document = kept.document
    return SegmentOut(
        name=document.name,
        title=TitleOut(zh=document.title.zh, en=document.title.en),
        version=kept.version,
        author=kept.author,
        created_at=kept.created_at,
        shipped=kept.shipped,
        document=document.as_data(),
    )


@router.get("/segments", response={200: list[SegmentOut], **REFUSALS}, auth=Token("read"))
def list_segments(request: HttpRequest) -> list[SegmentOut]:
    """The current version of every segment, by name."""
    return [_shown(kept) for kept in documents.current(SegmentDocument)]


@router.post("/segments/count", response={200: CountOut, **REFUSALS}, auth=Token("read"))
def count_document(request: HttpRequest, document: DocumentIn) -> CountOut:
    """How many persons a document would hold now, without keeping it."""
    read = parse(SegmentDocument, document)
    services.check(read)
    return CountOut(name=read.name, count=segments.count(warehouse(), viewer_of(request), read))


@router.get("/segments/{name}", response={200: SegmentOut, **REFUSALS}, auth=Token("read"))
def get_segment(request: HttpRequest, name: str) -> SegmentOut:
    """The current version of a segment."""
    return _shown(documents.find(SegmentDocument, name))


@router.put("/segments/{name}", response={200: SegmentOut, **REFUSALS}, auth=Token("plans:write"))
def put_segment(request: HttpRequest, name: str, document: DocumentIn) -> SegmentOut:
    """Keep a document as the segment's next version; the same content again makes no new version."""
    read = under_its_name(parse(SegmentDocument, document), name)
    return _shown(services.save(read, viewer_of(request)))


@router.get("/segments/{name}/count", response={200: CountOut, **REFUSALS}, auth=Token("read"))
def count_segment(request: HttpRequest, name: str) -> CountOut:
    """How many members the token sees."""
    return CountOut(name=name, count=segments.count(warehouse(), viewer_of(request), segments.segment_named(name)))


@router.post("/segments/{name}/audience", response={200: AudienceOut, **REFUSALS}, auth=Token("plans:write"))
def export_audience(request: HttpRequest, name: str, platform: str) -> AudienceOut:
    """Hashed phones of the members who consented to the purpose `ads`, for an ad platform: `tencent_sha256`,
    `tencent_md5`, `oceanengine_sha256`, `oceanengine_md5`, `google`, `tiktok`. Only for headquarters; audited."""
    found = audience(warehouse(), viewer_of(request), name, platform)
    return AudienceOut(
        hashes=list(found.hashes),
        members=found.members,
        without_consent=found.without_consent,
        without_phone=found.without_phone,
    )


class ListIn(Schema):
    """A list of persons, each by any of `phone`, `email`, `member`, `external_userid`, `unionid`, `openid`. `source`:
    whose member numbers they are, where several sources gave some."""

    rows: Annotated[list[dict[str, str]], Field(min_length=1, max_length=MOST_LISTED)]
    title: Annotated[str, Field(max_length=60)] = ""
    source: Annotated[str, Field(max_length=80)] = ""
    dry_run: bool = False


class TroubleOut(Schema):
    """A row, from 1, that adds nobody, and why."""

    row: int
    column: str
    reason: TitleOut


class ListOut(Schema):
    """Whom a list names; `ambiguous`: how many of those missing have a member number that several sources gave to
    several persons. `version` is the segment's, null where nothing was kept; `changed`: by this list."""

    rows: int
    found: int
    missing: int
    ambiguous: int
    doubled: int
    unreadable: int
    version: int | None
    changed: bool
    troubles: list[TroubleOut]


@router.post("/segments/{name}/list", response={200: ListOut, **REFUSALS}, auth=Token("plans:write"))
def upload_list(request: HttpRequest, name: str, body: ListIn) -> ListOut:
    """Make a segment of a list of persons; the same list again changes nothing, another is the next version. With
    `dry_run` nothing is kept. The identifiers themselves are stored nowhere. Only for headquarters; audited."""
    given, viewer = lists.rows_of(body.rows), viewer_of(request)
    found = (
        lists.read_list(viewer, given, body.source)
        if body.dry_run
        else lists.keep_list(warehouse(), viewer, name, given, body.title, body.source)
    )
    return ListOut(
        rows=found.rows,
        found=found.found,
        missing=found.missing,
        ambiguous=found.ambiguous,
        doubled=found.doubled,
        unreadable=found.unreadable,
        version=found.version,
        changed=found.changed,
        troubles=[
            TroubleOut(row=one.row, column=one.column, reason=TitleOut(zh=one.zh, en=one.en))
            for one in found.troubles[:MOST_TOLD]
        ],
    )


@router.get(
    "/segments/{name}/members", response={200: MembersOut, **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES
)
def list_members(
    request: HttpRequest,
    name: str,
    limit: Limit,
    offset: Offset,
    format: Format,
    order: str = "person",
    traits: Annotated[str, Query("", description="Names of traits, separated by commas.")] = "",
) -> MembersOut | StreamingHttpResponse:
    """The members whom the token sees. `order` is `person` or a trait; `-` before it puts the largest first."""
    names = trait_names(traits)
    document = segments.segment_named(name)
    if format != "json":
        limit, offset = MOST_ROWS, 0
    found = segments.members(
        warehouse(), viewer_of(request), document, limit=limit + 1, offset=offset, order=order, traits=names
    ).to_pylist()
    codes = visible_codes(viewer_of(request))
    if format != "json":
        rows = ({"person": row.pop("person"), **shown_traits(codes, row)} for row in found)
        return file_of(request, f"segment-{name}", format, rows)
    return MembersOut(
        name=name,
        items=[MemberOut(person=row.pop("person"), traits=shown_traits(codes, row)) for row in found[:limit]],
        next_offset=next_offset(found, limit, offset),
    )
