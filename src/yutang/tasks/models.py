"""What phones recorded. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now
from yutang.kernel.fields import EncryptedTextField


class Recorded(models.Model):
    """Something that a phone recorded under an id made there, and what was answered: the same id again is answered so,
    and does nothing. `at` is when it was done (business time)."""

    id = models.CharField(max_length=32, primary_key=True)
    who = models.CharField(max_length=150)
    kind = models.CharField(max_length=24)
    answer = models.JSONField(default=dict)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=wall_now)


class Asked(models.Model):
    """A guide's account that was looked at on a day: what it was asked to do, and the month behind it.

    The figures are of the 30 days up to then; `orders` and `replies` are of people whom she reached.
    """

    day = models.DateField()
    sender = models.BigIntegerField()
    run = models.BigIntegerField()
    reached = models.PositiveIntegerField(default=0)
    replies = models.PositiveIntegerField(default=0)
    orders = models.PositiveIntegerField(default=0)
    friends_new = models.PositiveIntegerField(default=0)
    friends_lost = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["sender", "day"], name="asked_once_a_day"),)


class Card(models.Model):
    """Somebody whom a guide is to contact on a day: a touch of the ledger's, and what came of it.

    `facts` are numbers that the reason is told with; `script` stands as it was that day. `sent_at` is business time.
    `end` is what the ledger is told of it, settled once, before it is told; `told`: the ledger knows.
    """

    touch = models.BigIntegerField(primary_key=True)
    run = models.BigIntegerField()
    day = models.DateField()
    sender = models.BigIntegerField()
    node = models.BigIntegerField()
    person = models.BigIntegerField(db_index=True)
    place = models.PositiveSmallIntegerField()
    due_at = models.DateTimeField()
    deadline = models.DateTimeField()
    reason = models.CharField(max_length=16)
    facts = models.JSONField(default=dict)
    script = models.TextField()
    result = models.CharField(max_length=16, blank=True)
    sent_at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=16, blank=True)
    told = models.BooleanField(default=False)

    class Meta:
        indexes = (
            models.Index(fields=["sender", "day"], name="cards_of_a_day"),
            models.Index(fields=["deadline"], condition=models.Q(told=False), name="cards_untold"),
        )


class Remark(models.Model):
    """What was written down of a birth person in somebody's own words, at which store. `at` is business time."""

    person = models.BigIntegerField(db_index=True)
    node = models.BigIntegerField()
    userid = models.CharField(max_length=64, blank=True)
    text = EncryptedTextField(null=True)
    at = models.DateTimeField()
