"""Customer groups and who is in them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Schema

from yutang.api.door import LARGEST, REFUSALS, Limit, Number, Offset, Token, viewer_of
from yutang.api.files import AS_FILES, Format, file_of
from yutang.kernel.ids import NodeId
from yutang.organisation.queries import nodes
from yutang.people import grouped
from yutang.people.contracts import GroupFilter
from yutang.people.telling import shown_group

router = Router(tags=["groups"])


class GroupOut(Schema):
    """A customer group. `size` counts everybody, staff included, as the platform does; `persons` are ours in it."""

    number: int
    id: str = Field(description="The platform's id of the group.", examples=["wrOgQhDgAAMYQiS5ol9G7gK9JVAAAA"])
    name: str
    owner: str | None = Field(description="The owner's userid.", examples=["zhangsan"])
    store: str | None = Field(description="The code of the owner's store.", examples=["s1"])
    state: str | None = Field(examples=["followed"])
    size: int
    full: bool = Field(description="Whether nobody comes in by a code any more.")
    persons: int
    joined_30d: int
    left_30d: int
    made_at: datetime | None
    last_moved_at: datetime | None = Field(description="When somebody last came or left.")
    read_at: datetime | None = Field(description="As of when the platform told it; null: known from lists or events.")


class GroupMemberOut(Schema):
    """Somebody in a group. `person` is null for whoever the token does not see elsewhere."""

    person: int | None
    joined_at: datetime | None
    left_at: datetime | None
    scene: int = Field(description="0 unknown, 1 invited, 2 by an invitation link, 3 by a code.")
    inviter: str | None = Field(description="The userid of the member of staff who invited.")


class GroupsAsked(Schema):
    """Which groups are asked for."""

    owner: str = Field("", description="The owner's userid.")
    store: str = Field("", description="A store's code.")
    full: bool | None = None
    silent: int | None = Field(None, ge=1, le=3650, description="Nobody came or left for so many days.")
    offset: int = Field(0, ge=0, le=LARGEST // 2)
    limit: int = Field(500, ge=1, le=20_000)


@router.get("/groups", response={200: list[GroupOut], **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def list_groups(
    request: HttpRequest, format: Format, asked: Annotated[GroupsAsked, Query()]
) -> list[dict[str, object]] | StreamingHttpResponse:
    """The customer groups of the stores that the token sees, the largest first."""
    viewer = viewer_of(request)
    codes = {node.id: node.code for node in nodes()}
    store = None
    if asked.store:
        store = next((node for node, code in codes.items() if code == asked.store), NodeId(0))
    wanted = GroupFilter(owner=asked.owner, node=store, full=asked.full, silent=asked.silent)
    limit, offset = (asked.limit, asked.offset) if format == "json" else (None, 0)
    found, _ = grouped.groups(viewer, wanted, limit=limit, offset=offset)
    rows = [shown_group(one, codes) for one in found]
    return rows if format == "json" else file_of(request, "groups", format, rows)


@router.get("/groups/{number}/members", response={200: list[GroupMemberOut], **REFUSALS}, auth=Token("read"))
def list_members(
    request: HttpRequest, number: Number, limit: Limit, offset: Offset, left: bool = False
) -> list[dict[str, object]]:
    """Who is in a group, the newest first; `left`: who is not in it any more."""
    found, _ = grouped.group_members(viewer_of(request), number, live=not left, limit=limit, offset=offset)
    return [
        {
            "person": one.person,
            "joined_at": one.joined_at,
            "left_at": one.left_at,
            "scene": one.scene,
            "inviter": one.inviter or None,
        }
        for one in found
    ]
