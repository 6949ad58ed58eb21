"""Who carries out what was planned, and asking after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Schema, Status

from yutang.api.door import LARGEST, REFUSALS, Token, viewer_of
from yutang.api.files import AS_FILES, Format, file_of
from yutang.api.schemas import Strict
from yutang.execution import services
from yutang.execution.board import board
from yutang.execution.contracts import Reason
from yutang.execution.telling import told, told_row, wanted
from yutang.kernel.ids import StaffId

router = Router(tags=["execution"])


class ExecutionOut(Schema):
    """Tasks by how they stand: issued = executed (in time) + late + waiting + expired. `people` of those issued."""

    issued: int
    executed: int
    late: int
    waiting: int
    expired: int
    planned: int
    doubtful: int = Field(description="Nobody can say whether they are out.")
    withdrawn: int = Field(description="Called off before their deadline, with their plan.")
    unissued: int = Field(description="Nobody was left, the platform refused, or it was too late.")
    people: int
    people_settled: int
    rate: float | None = Field(description="Executed within the deadline ÷ issued.")


class ExecutionRow(ExecutionOut):
    """A node with all below it, by its code; or a member of staff who belongs to the node that was asked for."""

    code: str | None
    staff: int | None
    name: str


class ExecutionBoard(Schema):
    """The lines below a node; `total` is their sum."""

    total: ExecutionOut
    rows: list[ExecutionRow]
    idle_stores: list[str] = Field(description="Codes of stores with at least 3 tasks over and none executed.")


class ExecutionAsked(Schema):
    """Which tasks: of a plan, or due within days of the brand's calendar; else of the plans that run now."""

    at: str = Field("", description="The code of a node; empty: all that the token sees.", max_length=64)
    plan: int | None = Field(None, ge=1, le=LARGEST)
    since: date | None = None
    until: date | None = None


class ReasonIn(Strict):
    """Why a task was not carried out. `uid` is yours and makes sending it again harmless."""

    uid: str = Field(min_length=8, max_length=64)
    batch: int = Field(ge=1, le=LARGEST)
    reason: Reason
    text: str = Field("", max_length=services.TEXT)


class ChaseIn(Strict):
    """Whom to ask after tasks that wait. `uid` is yours: the same again is the same chase."""

    uid: str = Field(min_length=8, max_length=64)
    at: str = Field("", max_length=64)
    staff: int | None = Field(None, ge=1, le=LARGEST)
    plan: int | None = Field(None, ge=1, le=LARGEST)
    message: bool = True
    remind: bool = False


class Kept(Schema):
    """Whether it was new."""

    new: bool


class ChasePreviewOut(Schema):
    """Who would be asked now, and how many are left out, by why."""

    guides: int
    tasks: int
    people: int
    messages: int
    reminders: int
    left_out: dict[str, int]


class ChaseOut(Schema):
    """The number of a chase; its messages leave at the next turn of the clock."""

    id: int


@router.get("/execution", response={200: ExecutionBoard, **REFUSALS}, auth=Token("read"), openapi_extra=AS_FILES)
def get_execution(
    request: HttpRequest, format: Format, asked: Annotated[ExecutionAsked, Query()]
) -> dict[str, object] | StreamingHttpResponse:
    """What was issued, carried out and left undone, by the nodes below one."""
    viewer = viewer_of(request)
    chosen = wanted(viewer, asked.plan, asked.since, asked.until)
    found = board(viewer, chosen, at=asked.at, limit=20_000, by_day=False)
    rows = [told_row(row) for row in found.rows]
    if format != "json":
        return file_of(request, "execution", format, rows)
    return {"total": told(found.total), "rows": rows, "idle_stores": [spot.code for spot in found.idle_stores]}


@router.post("/execution/reasons", response={200: Kept, **REFUSALS}, auth=Token("plans:write"))
def give_reason(request: HttpRequest, said: ReasonIn) -> Kept:
    """Say why a task is not carried out: it is not asked after any more."""
    return Kept(new=services.give_reason(viewer_of(request), said.uid, said.reason, batch=said.batch, text=said.text))


@router.post("/execution/chases/preview", response={200: ChasePreviewOut, **REFUSALS}, auth=Token("read"))
def preview_chase(request: HttpRequest, asked: ChaseIn) -> Mapping[str, object]:
    """Who would be asked now; nothing is sent."""
    found = services.preview_chase(viewer_of(request), _scope(request, asked))
    names = ("guides", "tasks", "people", "messages", "reminders", "left_out")
    return {name: getattr(found, name) for name in names}


@router.post("/execution/chases", response={201: ChaseOut, **REFUSALS}, auth=Token("plans:write"))
def chase(request: HttpRequest, asked: ChaseIn) -> Status[ChaseOut]:
    """Ask after the tasks that wait, never more often than the policy allows."""
    return Status(201, ChaseOut(id=services.chase(viewer_of(request), asked.uid, _scope(request, asked))))


def _scope(request: HttpRequest, asked: ChaseIn) -> services.ChaseScope:
    chosen = wanted(viewer_of(request), asked.plan, None, None)
    staff = None if asked.staff is None else StaffId(asked.staff)
    return services.ChaseScope(chosen, asked.at, staff, message=asked.message, remind=asked.remind)
