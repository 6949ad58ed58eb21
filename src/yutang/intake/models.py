"""The pump's and the importers' state. Private to the room."""

from __future__ import annotations

from django.db import models

from yutang.kernel.clock import wall_now


class Slice(models.Model):
    """A set of envelopes fixed before it is appended to the warehouse, so that a replay sends the same."""

    created_at = models.DateTimeField(default=wall_now)
    done = models.BooleanField(default=False, db_index=True)


class Lease(models.Model):
    """Who may do a thing that one process at a time does. `token` fences: it grows with every holder."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=80)
    token = models.BigIntegerField(default=0)
    until = models.DateTimeField()


class Import(models.Model):
    """A file on its way in. Its chunks are fixed files; `chunks_done` of them stand in the warehouse."""

    kind = models.CharField(max_length=16)
    source = models.CharField(max_length=80)
    digest = models.CharField(max_length=64)
    mapping = models.JSONField(default=dict)
    state = models.CharField(max_length=12, default="reading")
    rows = models.BigIntegerField(default=0)
    accepted = models.BigIntegerField(default=0)
    refused = models.BigIntegerField(default=0)
    chunks = models.IntegerField(default=0)
    chunks_done = models.IntegerField(default=0)
    started_at = models.DateTimeField(default=wall_now)
    finished_at = models.DateTimeField(null=True)
    author = models.CharField(max_length=80)
