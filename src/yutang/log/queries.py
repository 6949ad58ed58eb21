"""How far the log has come."""

from __future__ import annotations

from django.db.models import Max, Sum

from yutang.log.models import InboxEnvelope


def head() -> int:
    """The last envelope that has arrived; 0 if none has. Unscoped because it tells nothing of anybody."""
    return InboxEnvelope.objects.aggregate(last=Max("pk"))["last"] or 0


def passed(head: int) -> bool:
    """Whether every envelope up to that one stands in the warehouse. Unscoped because it tells nothing of anybody."""
    return not InboxEnvelope.objects.filter(done=False, pk__lte=head).exists()


def waiting() -> int:
    """How many events have arrived and do not stand in the warehouse yet. Unscoped because it is a count."""
    return InboxEnvelope.objects.filter(done=False).aggregate(events=Sum("events"))["events"] or 0


def anything_waits() -> bool:
    """Whether any event does not stand in the warehouse yet. Unscoped because it tells nothing of anybody."""
    return InboxEnvelope.objects.filter(done=False).exists()


def anything_unclaimed() -> bool:
    """Whether any event waits that no slice holds. Unscoped because it tells nothing of anybody."""
    return InboxEnvelope.objects.filter(done=False, slice=None).exists()
