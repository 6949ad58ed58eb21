"""Commands over segments, plans and profiles."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from yutang.cli.context import Shell, command, headquarters_only, presume, table
from yutang.connect.documents import ContactWay
from yutang.connect.services import keep_way
from yutang.content.documents import Content
from yutang.content.services import keep_content
from yutang.documents import queries as documents
from yutang.documents.contracts import StoredDocument
from yutang.documents.services import save_document
from yutang.intake.hooks.documents import WebhookDocument
from yutang.intake.hooks.services import keep_webhook
from yutang.kernel.clock import business_now
from yutang.kernel.documents import Document
from yutang.kernel.errors import BadInput
from yutang.layers.documents import LadderDocument
from yutang.layers.ladder import keep_ladder
from yutang.log.documents import EventTypeDocument
from yutang.log.registry import save_event_type
from yutang.organisation.contracts import Viewer
from yutang.organisation.queries import brand
from yutang.playbooks.services import read_file
from yutang.profiles import services as profiles
from yutang.profiles.documents import TraitDocument
from yutang.profiles.registry import save_trait
from yutang.reach import planning
from yutang.reach import queries as plans
from yutang.reach import services as reach
from yutang.reach.contracts import REASONS, PlanCounts, PlanFacts
from yutang.reach.documents import BroadcastDocument
from yutang.reach.lift import Lift, Verdict
from yutang.reflex.documents import ReflexRule
from yutang.reflex.services import keep_rule
from yutang.segments import lists, services
from yutang.segments import queries as segments
from yutang.segments.documents import SegmentDocument

Answer = tuple[object, list[object]]
COUNTS = {
    "decided": ("已决定", "decided"),
    "sent": ("已发送", "sent"),
    "failed": ("发送失败", "failed"),
    "expired": ("未执行，已过期", "expired"),
    "unknown": ("平台没有回音", "unknown"),
    "held_out": ("对照组", "held out"),
    "globally_held_out": ("全局对照组", "globally held out"),
    "pending": ("等待导购确认", "pending"),
}
VERDICTS = {
    Verdict.VISIBLE: ("看得出", "visible"),
    Verdict.NOT_VISIBLE: ("还看不出", "not visible"),
    Verdict.TOO_SMALL: ("人数太少", "too few people"),
    Verdict.NOTHING_YET: ("还没量到", "nothing measured yet"),
}
FILE = click.Path(path_type=Path)  # whether it is there is said by whoever reads it, in both languages


@click.group("segments")
def segments_group() -> None:
    """客户分群 / segments"""


@click.group("plans")
def plans_group() -> None:
    """触达计划 / plans"""


@click.group("rebuild")
def rebuild_group() -> None:
    """重算 / compute again"""


GROUPS = (segments_group, plans_group, rebuild_group)


@command(segments_group, "list")
def list_segments(shell: Shell, viewer: Viewer) -> Answer:
    """分群及人数 / segments and their sizes"""
    found = documents.current(SegmentDocument)
    sizes = segments.counts(shell.warehouse, viewer, segments.segments())
    data = [
        {
            "name": item.document.name,
            "title": item.document.title.model_dump(),
            "version": item.version,
            "count": sizes[item.document.name],
        }
        for item in found
    ]
    rows = [
        (item.document.name, item.document.title.text(shell.language), sizes[item.document.name], item.version)
        for item in found
    ]
    return data, [table(("name", "title", "count", "version"), rows)]


@command(segments_group, "count")
@click.argument("name")
def count_segment(shell: Shell, viewer: Viewer, name: str) -> Answer:
    """某个分群的人数 / the size of one segment"""
    document = segments.segment_named(name)
    size = segments.count(shell.warehouse, viewer, document)
    return {"name": name, "count": size}, [f"{document.title.text(shell.language)} {size:,}"]


@command(segments_group, "members")
@click.argument("name")
@click.option("--limit", default=100, show_default=True, help="至多几位 / at most so many")
@click.option("--offset", default=0, show_default=True, help="从第几位起 / how many to pass over")
def segment_members(shell: Shell, viewer: Viewer, name: str, limit: int, offset: int) -> Answer:
    """分群成员 / the members of one segment"""
    document = segments.segment_named(name)
    found = segments.members(shell.warehouse, viewer, document, limit=limit, offset=offset).to_pylist()
    return {"name": name, "members": found}, [f"{row['person']}" for row in found]


@command(segments_group, "upload")
@click.argument("name")
@click.argument("file", type=FILE)
@click.option("--title", default="", help="名称 / what people call it")
@click.option("--source", default="", help="会员号是哪个来源的 / the source whose member numbers they are")
@click.option("--dry-run", is_flag=True, help="只看，不保存 / only look, keep nothing")
@click.option("--errors", type=FILE, default=None, help="没认出来的行写到这里 / write the rows that add nobody here")
def upload_list(
    shell: Shell,
    viewer: Viewer,
    name: str,
    file: Path,
    title: str,
    source: str,
    dry_run: bool,
    errors: Path | None,
) -> Answer:
    """由名单（手机号、邮箱、会员号、external_userid）做一个分群 / make a segment of a list of identifiers"""
    found = (
        lists.read_list(viewer, file, source)
        if dry_run
        else lists.keep_list(shell.warehouse, viewer, name, file, title, source)
    )
    if errors is not None and found.troubles:
        errors.write_bytes(lists.error_file(found))
    data = {
        "name": name, "rows": found.rows, "found": found.found, "missing": found.missing,
        "ambiguous": found.ambiguous, "doubled": found.doubled, "unreadable": found.unreadable,
        "version": found.version, "changed": found.changed,
    }  # fmt: skip
    lines = [
        shell.said(
            f"{found.rows:,} 行：认出 {found.found:,} 人，没有 {found.missing:,}，重复 {found.doubled:,}，"
            f"读不出来 {found.unreadable:,}",
            f"{found.rows:,} rows: {found.found:,} persons found, {found.missing:,} missing, "
            f"{found.doubled:,} doubled, {found.unreadable:,} unreadable",
        )
    ]
    if found.ambiguous:
        lines.append(shell.said(*lists.ambiguity(found)))
    if found.version is not None:
        lines.append(
            shell.said(f"第 {found.version} 版", f"version {found.version}")
            if found.changed
            else shell.said(f"和第 {found.version} 版是同一批人", f"the same persons as version {found.version}")
        )
    return data, list(lines)


@command(rebuild_group, "profiles")
def rebuild_profiles(shell: Shell, viewer: Viewer) -> Answer:
    """重算客户画像 / compute all profiles again"""
    headquarters_only(viewer)
    report = profiles.rebuild(shell.warehouse, business_now())
    return report, [f"{report.persons:,} persons, {report.seconds:.1f} s"]


def _broadcast(file: Path) -> BroadcastDocument:
    document = read_file(file)
    if not isinstance(document, BroadcastDocument):
        raise BadInput(f"{file} 不是群发计划（kind: broadcast）。", f"{file} is not a broadcast (kind: broadcast).")
    return document


def plan(group: click.Group) -> None:
    """Add `plan` and `apply` to the root group."""

    @command(group, "plan")
    @click.argument("file", type=FILE)
    def plan_file(shell: Shell, viewer: Viewer, file: Path) -> Answer:
        """试算计划，不发送 / dry-run a plan: counts by outcome and reason"""
        document = _broadcast(file)
        found = reach.preview(shell.warehouse, document, viewer)
        lines: list[object] = [
            f"{found.candidates:,} {shell.said('位候选', 'candidates')}",
            *(f"− {n:,} {_reason(shell, why)}" for why, n in found.suppressed.items()),
            f"− {found.globally_held_out:,} {shell.said('全局对照组', 'globally held out')}",
            f"= {found.send:,} {shell.said('发送', 'send')} + {found.held_out:,} {shell.said('对照组', 'held out')}",
        ]
        if found.smallest_effect is not None:
            amount = f"{brand().currency} {found.smallest_effect:,.2f}"
            lines.append(
                shell.said(f"最小能看出的效果：每人 {amount}", f"smallest effect that it can show: {amount} a person")
            )
        elif document.hold_out > 0:
            lines.append(
                shell.said(
                    "说不出能看出多小的效果：人太少，或没有更早的历史",
                    "which effect it can show cannot be told: too few people, or no earlier history",
                )
            )
        return found, lines

    @command(group, "apply", brand_needed=False)
    @click.argument("file", type=FILE)
    def apply_file(shell: Shell, viewer: Viewer, file: Path) -> Answer:
        """下发计划 / launch a plan (or keep a document)"""
        document = read_file(file)
        presume()
        if not isinstance(document, BroadcastDocument):
            kept = _keep(document, viewer)
            return {"name": document.name, "version": kept.version}, [f"{document.name} v{kept.version}"]
        plan_id = reach.launch(document, viewer)
        planning.plan_due(shell.warehouse, patience=60)
        counts = plans.counts(shell.warehouse, viewer, plan_id)
        return {"id": plan_id, **_counts(counts)}, [f"{shell.said('计划', 'plan')} {plan_id}", *_lines(shell, counts)]


def _keep(document: Document, viewer: Viewer) -> StoredDocument:
    """Keep a document that is no plan: a segment, or what the whole brand goes by."""
    if isinstance(document, SegmentDocument):
        return services.save(document, viewer)
    if isinstance(document, TraitDocument):
        return save_trait(document, viewer)
    if isinstance(document, Content):
        return keep_content(document, viewer)
    if isinstance(document, ContactWay):
        return keep_way(document, viewer)
    if isinstance(document, ReflexRule):
        return keep_rule(document, viewer)
    if isinstance(document, EventTypeDocument):
        return save_event_type(document, viewer)
    if isinstance(document, WebhookDocument):
        return keep_webhook(document, viewer)
    if isinstance(document, LadderDocument):
        return keep_ladder(document, viewer)
    headquarters_only(viewer)
    return save_document(document, viewer.name)


def _counts(counts: PlanCounts) -> dict[str, Any]:
    return {name: getattr(counts, name) for name in (*COUNTS, "suppressed")}


def _lines(shell: Shell, counts: PlanCounts) -> list[object]:
    lines: list[object] = [f"{shell.said(*words)} {getattr(counts, name):,}" for name, words in COUNTS.items()]
    held_back = shell.said("没有触达：", "suppressed: ")
    return lines + [f"{held_back}{_reason(shell, why)} {count:,}" for why, count in counts.suppressed.items()]


def _reason(shell: Shell, why: str) -> str:
    return shell.said(*REASONS.get(why, (why, why)))


def _state(facts: PlanFacts) -> str:
    """The state; `standing` of what staff are asked to do day by day, which has none."""
    return "standing" if facts.standing else facts.state.value


@command(plans_group, "list")
@click.option("--limit", default=50, show_default=True, help="至多几个 / at most so many")
def list_plans(shell: Shell, viewer: Viewer, limit: int) -> Answer:
    """计划列表 / plans, newest first"""
    found = plans.plans(viewer, limit=limit)
    data = [{"id": item.id, "name": item.document.name, "state": _state(item), "start": item.start} for item in found]
    return data, [table(("id", "name", "state"), [(row["id"], row["name"], row["state"]) for row in data])]


@command(plans_group, "show")
@click.argument("plan_id", type=int)
def show_plan(shell: Shell, viewer: Viewer, plan_id: int) -> Answer:
    """计划的结果 / a plan's ledger and lift"""
    facts = plans.plan(viewer, plan_id)
    counts = plans.counts(shell.warehouse, viewer, plan_id)
    lift = plans.lift(shell.warehouse, viewer, plan_id)
    measured = lift_data(lift, plans.measured_until(viewer, plan_id))
    data = {
        "id": facts.id,
        "name": facts.document.name,
        "state": _state(facts),
        **_counts(counts),
        "lift": measured,
    }
    return data, [
        f"{facts.document.title.text(shell.language)} ({_state(facts)})",
        *_lines(shell, counts),
        *_lift_lines(shell, measured),
    ]


def _lift_lines(shell: Shell, measured: Mapping[str, object]) -> list[object]:
    """Lift as people read it: amounts a decided person, in the brand's currency."""
    verdict = shell.said(*VERDICTS[Verdict(str(measured["verdict"]))])
    if measured["preliminary"]:
        verdict += shell.said("（测量期未满，暂定）", " (preliminary: still being measured)")
    if measured["estimate"] is None:
        return [f"{shell.said('增量', 'lift')} {verdict}"]
    low, value, high = (f"{measured[name]:+,.2f}" for name in ("low", "estimate", "high"))
    currency = brand().currency
    return [
        shell.said(
            f"增量 每人 {currency} {value}（95% 区间 {low} 到 {high}）：{verdict}",
            f"lift {currency} {value} a person (95 % interval {low} to {high}): {verdict}",
        )
    ]


def lift_data(lift: Lift | None, until: datetime | None) -> dict[str, object]:
    """Lift as scripts read it: money per decided person, its 95 % interval, and the verdict (`too_small` before anybody
    was decided), preliminary until the window declared before launch is over."""
    interval = lift.per_person if lift else None
    return {
        "estimate": interval.value if interval else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "verdict": lift.verdict if lift else Verdict.TOO_SMALL,
        "preliminary": until is None or business_now() < until,
    }


@command(plans_group, "stop")
@click.argument("plan_id", type=int)
def stop_plan(shell: Shell, viewer: Viewer, plan_id: int) -> Answer:
    """停止计划 / stop a plan"""
    facts = plans.plan(viewer, plan_id)
    reach.stop(facts.id, viewer)
    return {"id": facts.id, "state": "stopped"}, [f"plan {facts.id} stopped"]
