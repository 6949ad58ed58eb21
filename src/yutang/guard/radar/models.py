"""How walls stood on each day, and what somebody wrote down. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now


class Snapshot(models.Model):
    """How a wall stood on a (business) day, with what was told of it then. Nothing here names a person.

    `counted`: what only use moves; the pace is told by it. `subject`: which thing, where a corp has several; `title`:
    what people call it. `calm`: for how many days in a row a wall that is warned of gave no reason for it. `more`: what
    the next look needs.
    """

    wall = models.CharField(max_length=24)
    corp = models.CharField(max_length=64)
    subject = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=80, blank=True)
    day = models.DateField(db_index=True)
    used = models.DecimalField(max_digits=20, decimal_places=4)
    most = models.DecimalField(max_digits=20, decimal_places=4)
    counted = models.DecimalField(max_digits=20, decimal_places=4)
    pace = models.FloatField(default=0)
    low = models.FloatField(null=True)
    middle = models.FloatField(null=True)
    high = models.FloatField(null=True)
    state = models.CharField(max_length=8)
    since = models.DateField(null=True)
    calm = models.PositiveSmallIntegerField(default=0)
    ends_on = models.DateField(null=True)
    price = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    more = models.JSONField(default=dict)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["wall", "corp", "subject", "day"], name="one_snapshot_of_a_day"),
        )


class Entry(models.Model):
    """What somebody wrote down because no API tells it; it stands until `ended_at`."""

    kind = models.CharField(max_length=12)
    corp = models.CharField(max_length=64, blank=True)
    title = models.CharField(max_length=80)
    most = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    used = models.DecimalField(max_digits=20, decimal_places=4, default=0)
    ends_on = models.DateField(null=True)
    price = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    note = models.CharField(max_length=300, blank=True)
    by = models.CharField(max_length=80)
    at = models.DateTimeField(default=wall_now)
    ended_at = models.DateTimeField(null=True)
