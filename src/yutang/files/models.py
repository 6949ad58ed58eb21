"""The files themselves. In the operational store and not beside it: so a backup has them, and every process finds them
however many machines there are. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now


class KeptFile(models.Model):
    """A file, once. Nothing of it ever changes."""

    digest = models.CharField(max_length=64, primary_key=True)
    kind = models.CharField(max_length=8)
    name = models.CharField(max_length=100)
    type = models.CharField(max_length=100)
    size = models.PositiveIntegerField()
    content = models.BinaryField()
    kept_at = models.DateTimeField(default=wall_now)
