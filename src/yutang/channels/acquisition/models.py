"""Private to the room."""

from __future__ import annotations

from django.db import models


class Quota(models.Model):
    """What is left of a corp's quota, as last read. `expiring`: [seconds, count] of each part that ends."""

    corp = models.CharField(max_length=64, unique=True)
    total = models.PositiveIntegerField()
    balance = models.PositiveIntegerField()
    expiring = models.JSONField(default=list)
    read_at = models.DateTimeField()


class Told(models.Model):
    """The last that the platform told of a link. `seen`: whoever makes links has acted on it."""

    corp = models.CharField(max_length=64)
    link_id = models.CharField(max_length=64)
    news = models.CharField(max_length=20)
    at = models.DateTimeField()
    seen = models.BooleanField(default=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["corp", "link_id"], name="one_word_of_a_link"),)
