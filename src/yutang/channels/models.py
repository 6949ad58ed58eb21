"""What platforms told us, as they told it. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import SealedField


class Callback(models.Model):
    """One body that a platform posted, sealed, once. `event` names what was recorded of it; empty: not handled yet."""

    channel = models.CharField(max_length=16)
    corp = models.CharField(max_length=64)
    digest = models.BinaryField(max_length=32)
    kind = models.CharField(max_length=80, db_index=True)
    event = models.CharField(max_length=24, blank=True)
    sealed = SealedField(context="channels.callback")
    received_at = models.DateTimeField(default=wall_now, db_index=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "corp", "digest"], name="one_callback_once"),)
