from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now


class DocumentVersion(models.Model):
    """One version of one document; never changed. The highest version of (kind, name) is current unless retired."""

    kind = models.CharField(max_length=24)
    name = models.CharField(max_length=63)
    version = models.PositiveIntegerField()
    body = models.JSONField()
    digest = models.CharField(max_length=64)
    author = models.CharField(max_length=80)
    created_at = models.DateTimeField(default=wall_now)
    shipped = models.BooleanField(default=False)
    retired = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["kind", "name", "version"], name="one_version_once"),)
