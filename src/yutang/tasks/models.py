"""What phones recorded. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now


class Recorded(models.Model):
    """Something that a phone recorded under an id made there, and what was answered: the same id again is answered so,
    and does nothing. `at` is when it was done (business time)."""

    id = models.CharField(max_length=32, primary_key=True)
    who = models.CharField(max_length=150)
    kind = models.CharField(max_length=24)
    answer = models.JSONField(default=dict)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=wall_now)
