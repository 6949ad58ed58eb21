"""Why tasks were not carried out, and who was asked after. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.fields import EncryptedTextField


class GivenReason(models.Model):
    """What a guide, or somebody for them, said of why not: of one batch, or (`batch` null) of all that an account has.

    `uid` is made by the client: said twice is once. `until`: the last day on which it holds (business calendar).
    """

    uid = models.CharField(max_length=64, unique=True)
    sender = models.BigIntegerField(db_index=True)
    batch = models.BigIntegerField(null=True, db_index=True)
    reason = models.CharField(max_length=24)
    text = EncryptedTextField(null=True)
    until = models.DateField(null=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField(db_index=True)


class Chase(models.Model):
    """One act of asking after tasks, as it was decided; `uid` is made by whoever asks: asked twice is once.

    `place` is a node's code (empty: all that was seen), `staff` one guide, `plan` one plan. `at` is business time.
    `left_out` counts who was not asked, by why.
    """

    uid = models.CharField(max_length=64, unique=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField(db_index=True)
    place = models.CharField(max_length=64, blank=True)
    staff = models.BigIntegerField(null=True)
    plan = models.BigIntegerField(null=True)
    guides = models.PositiveIntegerField(default=0)
    tasks = models.PositiveIntegerField(default=0)
    left_out = models.JSONField(default=dict)


class Nudge(models.Model):
    """One guide who is asked after by one chase: the `nth` time on a local day of theirs. Kept before anything is
    sent, so that neither a kill nor a second click asks once more than the policy allows."""

    chase = models.ForeignKey(Chase, models.CASCADE, related_name="nudges")
    staff = models.BigIntegerField()
    day = models.DateField()
    nth = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    batches = models.JSONField(default=list)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["staff", "day", "nth"], name="one_nudge_once"),)
        indexes = (models.Index(fields=["staff", "at"], name="nudges_of_staff"),)


class Errand(models.Model):
    """One call that a nudge makes: a message of the app to `account`, or the platform's own reminder of `batch`.

    `first_at`: when it was called first (wall clock); what may be repeated at all is repeated only soon after.
    """

    nudge = models.ForeignKey(Nudge, models.CASCADE, related_name="errands")
    kind = models.CharField(max_length=8)
    account = models.BigIntegerField()
    batch = models.BigIntegerField(null=True)
    at = models.DateTimeField()
    state = models.CharField(max_length=8, default="due")
    reason_zh = models.CharField(max_length=240, blank=True)
    reason_en = models.CharField(max_length=240, blank=True)
    not_before = models.DateTimeField(null=True)
    first_at = models.DateTimeField(null=True)
    claimed_by = models.CharField(max_length=80, blank=True)
    claim_until = models.DateTimeField(null=True)

    class Meta:
        indexes = (
            models.Index(fields=["id"], condition=models.Q(state__in=["due", "calling"]), name="errands_open"),
            models.Index(fields=["batch", "at"], name="errands_of_batches"),
        )
