from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import SealedField


class InboxEnvelope(models.Model):
    """1..n events that arrived together, sealed. `slice` is set once, by the pump, before they are appended."""

    received_at = models.DateTimeField(default=wall_now)
    sealed = SealedField(context="inbox.envelope")
    events = models.PositiveIntegerField()
    slice = models.BigIntegerField(null=True, db_index=True)
    done = models.BooleanField(default=False, db_index=True)
