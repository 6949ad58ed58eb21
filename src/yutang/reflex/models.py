"""What reflex rules wait for, and each act once. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import SealedField
from yutang.reflex.contracts import ActState


class Stimulus(models.Model):
    """An event that a rule waited for, sealed; written with the event. Emptied once all its acts are final."""

    event_id = models.CharField(max_length=128, primary_key=True)
    type = models.CharField(max_length=64)
    sealed = SealedField(context="inbox.envelope")
    received_at = models.DateTimeField(default=wall_now, db_index=True)


class Act(models.Model):
    """One act of one rule on one event: the ledger of this lane. Times are the wall clock's.

    `body` is the act as the rule's `version` said it. `tries` counts claims: of an act that was claimed and whose
    worker died nobody can say whether it was done.
    """

    stimulus = models.ForeignKey(Stimulus, models.PROTECT, related_name="acts")
    rule = models.CharField(max_length=63)
    version = models.PositiveIntegerField()
    ordinal = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=12)
    body = models.JSONField()
    state = models.CharField(max_length=8, default=ActState.DUE.value)
    reason = models.CharField(max_length=64, blank=True)
    person = models.BigIntegerField(null=True)
    deadline = models.DateTimeField()
    not_before = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["stimulus", "rule", "ordinal"], name="one_act_once"),)
        indexes = (
            models.Index(
                fields=["deadline"],
                condition=models.Q(state__in=[ActState.DUE.value, ActState.DOING.value]),
                name="acts_open",
            ),
            models.Index(fields=["rule", "kind", "state"], name="acts_by_rule"),
        )


class Assignment(models.Model):
    """An assign act given to a member of staff (`userid`, empty: to a store only). `at` is business time."""

    act = models.OneToOneField(Act, models.PROTECT, primary_key=True)
    person = models.BigIntegerField()
    node = models.BigIntegerField()
    userid = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField(db_index=True)


class FollowUp(models.Model):
    """A person whom a member of staff is to follow up until `due_at` (business time). `act`: the rule's that asked for
    it; null: they said so themselves. `outcome`: what came of it, in a word, once it is done."""

    act = models.OneToOneField(Act, models.PROTECT, null=True)
    person = models.BigIntegerField()
    userid = models.CharField(max_length=64, blank=True)
    node = models.BigIntegerField(db_index=True)
    note = models.JSONField()
    due_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)
    done_by = models.CharField(max_length=80, blank=True)
    outcome = models.CharField(max_length=16, blank=True)

    class Meta:
        indexes = (models.Index(fields=["userid", "due_at"], condition=models.Q(done_at=None), name="follow_ups_due"),)


class SegmentCursor(models.Model):
    """How far the entries into a segment have been told to the rules: the last run whose entries were noticed."""

    segment = models.CharField(max_length=63, primary_key=True)
    run = models.BigIntegerField(default=0)
