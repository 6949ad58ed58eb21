"""Plans, their runs and batches. Recipients are not here: they are rows of the ledger in the warehouse."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.reach.contracts import AT_LARGE, BatchState, PlanState, RunState, Standing


def _choices(kind: type[PlanState] | type[RunState] | type[BatchState]) -> list[tuple[str, str]]:
    return [(state.value, state.value) for state in kind]


def _standing() -> models.Case:
    closed = models.Q(state=BatchState.CLOSED.value)
    unanswered = models.Q(state__in=[BatchState.UNKNOWN.value, BatchState.AMBIGUOUS.value])
    return models.Case(
        models.When(tapped_at__gt=models.F("deadline"), then=models.Value(Standing.LATE.value)),
        models.When(tapped_at__isnull=False, then=models.Value(Standing.EXECUTED.value)),
        models.When(unanswered, then=models.Value(Standing.DOUBTFUL.value)),
        models.When(state=BatchState.ISSUED.value, then=models.Value(Standing.WAITING.value)),
        models.When(closed & models.Q(asked=0, trouble=AT_LARGE), then=models.Value(Standing.DOUBTFUL.value)),
        models.When(closed & models.Q(asked=0), then=models.Value(Standing.UNISSUED.value)),
        models.When(closed & models.Q(closed_at__lt=models.F("deadline")), then=models.Value(Standing.WITHDRAWN.value)),
        models.When(closed, then=models.Value(Standing.EXPIRED.value)),
        default=models.Value(Standing.PLANNED.value),
    )


class Plan(models.Model):
    """A broadcast with the very document that it runs; later edits of the document do not touch it.

    `scope`: the nodes that its author may see (null: the whole brand). `versions` names the versions of segment,
    policy and content rules used at launch. `trouble`: why it cannot be planned at the moment, in both languages.
    `unit_cost`: of one message, in the brand's currency, as it was at launch. `standing`: it is no broadcast, but the
    plan of what staff are asked to do person by person (`reach/standing.py`).
    """

    name = models.CharField(max_length=63, db_index=True)
    body = models.JSONField()
    author = models.CharField(max_length=80)
    scope = models.JSONField(null=True)
    state = models.CharField(max_length=10, choices=_choices(PlanState), default=PlanState.DRAFT, db_index=True)
    created_at = models.DateTimeField()
    start = models.DateTimeField(null=True)
    versions = models.JSONField(default=dict)
    audience_frozen = models.BooleanField(default=False)
    trouble = models.CharField(max_length=400, blank=True)
    unit_cost = models.DecimalField(max_digits=12, decimal_places=4, default=0, db_default=0)
    standing = models.BooleanField(default=False, db_default=False)


class Run(models.Model):
    """One pass of the gate over one wave and attempt of a plan. It exists for readers once `state` is committed."""

    plan = models.ForeignKey(Plan, models.PROTECT, related_name="runs")
    occasion = models.CharField(max_length=16)
    attempt = models.PositiveSmallIntegerField(default=1)
    state = models.CharField(max_length=10, choices=_choices(RunState), default=RunState.DECIDING, db_index=True)
    token = models.BigIntegerField()
    decided_at = models.DateTimeField()
    as_of = models.DateTimeField()
    candidates = models.BigIntegerField(default=0)
    granted = models.BigIntegerField(default=0)
    versions = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["plan", "occasion", "attempt"],
                condition=models.Q(state=RunState.COMMITTED.value),
                name="one_committed_run_per_attempt",
            ),
        )


class Batch(models.Model):
    """What one sender account is asked to send at once. Its recipients follow from run, sender, window and offset.

    `not_before`: the platform asked us to wait. `left`: how many were still unreached when it was closed.
    `withdrawals`: how often it could not be withdrawn once it was over. `asked`: for how many recipients the platform
    took it; `done`: of those, how many something final was told of by whoever was asked. `tapped_hour`: the hour (0–23)
    of the tap in the brand's zone. `standing` says how the batch stands for the board, and is the database's own work:
    it cannot differ from the rest of the row.
    """

    run = models.ForeignKey(Run, models.PROTECT, related_name="batches", db_index=False)
    sender = models.BigIntegerField()
    due_at = models.DateTimeField()
    deadline = models.DateTimeField()
    ordinal = models.PositiveIntegerField()
    offset = models.PositiveIntegerField()
    size = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=_choices(BatchState), default=BatchState.PLANNED, db_index=True)
    task = models.CharField(max_length=128, blank=True)
    called_at = models.DateTimeField(null=True)
    call_until = models.DateTimeField(null=True)
    called_by = models.CharField(max_length=80, blank=True)
    calls = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    withdrawals = models.PositiveSmallIntegerField(default=0, db_default=0)
    read_at = models.DateTimeField(null=True)
    tapped_at = models.DateTimeField(null=True)
    left = models.PositiveIntegerField(default=0)
    closed_at = models.DateTimeField(null=True)
    trouble = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=wall_now)
    asked = models.PositiveIntegerField(default=0, db_default=0)
    done = models.PositiveIntegerField(default=0, db_default=0)
    tapped_hour = models.PositiveSmallIntegerField(null=True)
    standing = models.GeneratedField(
        expression=_standing(), output_field=models.PositiveSmallIntegerField(), db_persist=True
    )

    class Meta:
        # Each covers what the board adds up, so that it reads no row: of some runs, of some accounts, of all.
        indexes = (
            models.Index(fields=["run", "sender", "due_at", "standing", "asked", "done"], name="batches_by_run"),
            models.Index(fields=["sender", "due_at", "standing", "run", "asked", "done"], name="batches_by_sender"),
            models.Index(
                fields=["due_at", "standing", "tapped_hour", "sender", "run", "asked", "done"], name="batches_by_time"
            ),
        )
        constraints = (
            models.UniqueConstraint(fields=["run", "sender", "due_at", "deadline", "ordinal"], name="one_batch_once"),
            models.UniqueConstraint(fields=["task"], condition=~models.Q(task=""), name="one_task_once"),
            models.UniqueConstraint(
                fields=["sender", "digest"],
                condition=models.Q(
                    state__in=[BatchState.CALLING.value, BatchState.UNKNOWN.value, BatchState.AMBIGUOUS.value]
                ),
                name="one_unanswered_call",
            ),
        )
