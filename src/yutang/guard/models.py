"""The guard's rows. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.guard.contracts import Step
from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField


class Erasure(models.Model):
    """A person being erased, and that it was done.

    `work` is what the erasure must know until it is done (their numbers, identifiers, tombstones), sealed; then it is
    empty, so that nothing joins the tombstones in the ledger to the number. `cursor` and `upto`: how far the inbox has
    been looked through.
    """

    person = models.BigIntegerField(db_index=True)
    reason = models.CharField(max_length=16)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField(default=wall_now)
    step = models.CharField(max_length=12, default=Step.PEOPLE.value, db_index=True)
    work = EncryptedTextField(null=True)
    cursor = models.BigIntegerField(default=0)
    upto = models.BigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    trouble = models.CharField(max_length=400, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["person"], condition=~models.Q(step=Step.DONE.value), name="one_erasure_at_a_time"
            ),
        )
