"""Webhooks and their deliveries, for those who run the whole brand."""

from __future__ import annotations

from yutang.intake.collect.held import headquarters
from yutang.intake.hooks.contracts import DeliveryFacts, HookFacts, Outcome
from yutang.intake.hooks.services import path_of
from yutang.intake.models import HeldMessage, Hook, HookDelivery
from yutang.kernel.errors import NotFound
from yutang.organisation.contracts import Viewer


def hooks(viewer: Viewer) -> list[HookFacts]:
    """Every address, by name."""
    headquarters(viewer)
    return [_facts(row) for row in Hook.objects.order_by("name")]


def hook(viewer: Viewer, name: str) -> HookFacts:
    """One of them. Raises NotFound."""
    headquarters(viewer)
    row = Hook.objects.filter(name=name).first()
    if row is None:
        raise NotFound(f"没有名为「{name[:63]}」的推送地址。", f"There is no webhook “{name[:63]}”.")
    return _facts(row)


def _facts(row: Hook) -> HookFacts:
    path = "" if row.place is not None else path_of(row.name)
    return HookFacts(
        row.pk,
        row.name,
        row.key_id,
        path,
        row.client,
        row.active,
        row.made_at,
        row.last_at,
        row.refused,
        row.refused_at,
    )


def deliveries(viewer: Viewer, name: str, *, limit: int = 50, offset: int = 0) -> list[DeliveryFacts]:
    """The deliveries of a webhook, newest first. What is in them is told nowhere."""
    headquarters(viewer)
    rows = list(HookDelivery.objects.filter(hook__name=name).order_by("-pk")[offset : offset + limit])
    held = [bytes(row.mark) for row in rows if row.outcome == Outcome.HELD.value]
    why = {bytes(mark): text for mark, text in HeldMessage.objects.filter(mark__in=held).values_list("mark", "problem")}
    return [
        DeliveryFacts(
            row.pk, name, row.called, row.received_at, Outcome(row.outcome), row.events,
            why.get(bytes(row.mark), ""), row.repeats,
        )
        for row in rows
    ]  # fmt: skip


def counted(viewer: Viewer, name: str) -> int:
    """How many deliveries of a webhook are kept."""
    headquarters(viewer)
    return HookDelivery.objects.filter(hook__name=name).count()
