"""Runs of syncs, and hints. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now


class SyncRun(models.Model):
    """One run of a kind of sync for a corp. `cursor`: where its sync stands, in the sync's own words, nothing personal.

    It is asked for (`begun_at`), worked at under a claim (`started_at`: first), and ends. Of a kind and corp one is
    open at a time.
    """

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    kind = models.CharField(max_length=24)
    state = models.CharField(max_length=8, default="waiting")
    first = models.BooleanField(default=False)
    by = models.CharField(max_length=80, blank=True)
    cursor = models.JSONField(default=dict)
    done = models.PositiveBigIntegerField(default=0)
    total = models.PositiveBigIntegerField(default=0)
    read = models.PositiveBigIntegerField(default=0)
    added = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    ended = models.PositiveBigIntegerField(default=0)
    note_zh = models.CharField(max_length=300, blank=True)
    note_en = models.CharField(max_length=300, blank=True)
    error_zh = models.CharField(max_length=500, blank=True)
    error_en = models.CharField(max_length=500, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(default=wall_now)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["channel", "corp", "kind"],
                condition=models.Q(state__in=["waiting", "doing"]),
                name="one_open_run",
            ),
        )
        indexes = (models.Index(fields=["channel", "corp", "kind", "-id"], name="runs_of_a_kind"),)


class SyncHint(models.Model):
    """Something is to be read again. `told` counts how often it was told of, so that what is told while it is being
    read is not taken for done. It goes as soon as it was read."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    kind = models.CharField(max_length=24)
    ref = models.CharField(max_length=160)
    told = models.PositiveIntegerField(default=1)
    tries = models.PositiveSmallIntegerField(default=0)
    not_before = models.DateTimeField(default=wall_now)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField(default=wall_now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "kind", "ref"], name="one_hint_once"),)
        indexes = (models.Index(fields=["not_before", "id"], name="hints_due"),)
