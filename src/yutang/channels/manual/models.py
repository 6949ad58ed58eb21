"""The lists that people work through by hand, and what they wrote down. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.channels.manual.contracts import Result


class WorkList(models.Model):
    """What one member of staff is asked to do by hand. Its lines are numbered from 1, as on paper.

    `purpose` and `topic` are what it is about. `until` is when it is over, `taken_at` when it was first exported: from
    then on a copy may be worked from that we cannot call back. `handed_in_at`: whoever worked it says that all that was
    done is written down. `called_back_at`: it was withdrawn, and nothing more is written down. All times are of the
    business clock.
    """

    corp = models.CharField(max_length=64, blank=True)
    userid = models.CharField(max_length=64, db_index=True)
    text = models.TextField()
    purpose = models.CharField(max_length=63, blank=True)
    topic = models.CharField(max_length=63, blank=True)
    links = models.JSONField(default=list)
    attached = models.JSONField(default=list)
    created_at = models.DateTimeField(db_index=True)
    until = models.DateTimeField(null=True)
    taken_at = models.DateTimeField(null=True)
    handed_in_at = models.DateTimeField(null=True)
    handed_in_by = models.CharField(max_length=80, blank=True)
    called_back_at = models.DateTimeField(null=True)
    reminded_at = models.DateTimeField(null=True)


class Line(models.Model):
    """One person of a list. `at` is when they were spoken to, `noted_at` when that was written down."""

    list = models.ForeignKey(WorkList, models.CASCADE, related_name="lines")
    number = models.PositiveIntegerField()
    person = models.BigIntegerField(db_index=True)
    result = models.CharField(max_length=12, blank=True, choices=[(one.value, one.value) for one in Result])
    at = models.DateTimeField(null=True)
    noted_at = models.DateTimeField(null=True)
    noted_by = models.CharField(max_length=80, blank=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["list", "number"], name="one_line_once"),)
