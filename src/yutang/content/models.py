"""Who approved which version of a content. What it says is a document."""

from __future__ import annotations

from django.db import models

from yutang.content.contracts import Standing
from yutang.kernel.clock import wall_now


class Approval(models.Model):
    """Where one version of one content stands. A version without a row is a draft. `word` is why it was sent back."""

    name = models.CharField(max_length=63)
    version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, default=Standing.SUBMITTED.value, db_index=True)
    asked_by = models.CharField(max_length=80)
    asked_at = models.DateTimeField(default=wall_now)
    decided_by = models.CharField(max_length=80, blank=True)
    decided_at = models.DateTimeField(null=True)
    word = models.CharField(max_length=400, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["name", "version"], name="one_standing_per_version"),)
