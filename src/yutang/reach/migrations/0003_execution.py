"""For how many a batch was asked, how many of them are settled, when it was tapped, and how it stands for the board."""

from __future__ import annotations

from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from django.db import migrations, models
from django.db.models import F
from django.db.models.functions import Greatest

STANDING = models.Case(
    models.When(tapped_at__gt=models.F("deadline"), then=models.Value(4)),
    models.When(tapped_at__isnull=False, then=models.Value(3)),
    models.When(models.Q(state__in=["unknown", "ambiguous"]), then=models.Value(1)),
    models.When(state="issued", then=models.Value(2)),
    models.When(models.Q(("state", "closed"), ("asked", 0), ("trouble", "not_withdrawn")), then=models.Value(1)),
    models.When(models.Q(("state", "closed"), ("asked", 0)), then=models.Value(7)),
    models.When(models.Q(("state", "closed"), ("closed_at__lt", models.F("deadline"))), then=models.Value(6)),
    models.When(models.Q(("state", "closed")), then=models.Value(5)),
    default=models.Value(0),
)


def fill(apps: Any, schema_editor: Any) -> None:
    """What was issued before is taken to have been asked for whole; of what waits, the next reading tells."""
    batches = apps.get_model("reach", "Batch").objects
    batches.exclude(task="").update(asked=F("size"))
    batches.exclude(task="").filter(state="closed", tapped_at__isnull=False).update(
        done=Greatest(F("size") - F("left"), 0)
    )
    brand = apps.get_model("organisation", "Brand").objects.filter(pk=1).first()
    if brand is None:
        return
    zone = ZoneInfo(brand.zone)
    tapped = batches.filter(tapped_at__isnull=False).only("pk", "tapped_at").iterator(2_000)
    while part := list(islice(tapped, 2_000)):
        for row in part:
            row.tapped_hour = row.tapped_at.astimezone(zone).hour
        batches.bulk_update(part, ["tapped_hour"])


class Migration(migrations.Migration):
    dependencies = [("reach", "0002_unit_cost"), ("organisation", "0001_initial")]

    operations = [
        migrations.AddField("batch", "asked", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("batch", "done", models.PositiveIntegerField(db_default=0, default=0)),
        migrations.AddField("batch", "tapped_hour", models.PositiveSmallIntegerField(null=True)),
        migrations.AlterField("batch", "sender", models.BigIntegerField()),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.AddField(
            "batch",
            "standing",
            models.GeneratedField(
                db_persist=True, expression=STANDING, output_field=models.PositiveSmallIntegerField()
            ),
        ),
        migrations.AlterField(
            "batch", "run", models.ForeignKey("reach.run", models.PROTECT, related_name="batches", db_index=False)
        ),
        *(
            migrations.AddIndex("batch", models.Index(fields=fields, name=name))
            for name, fields in (
                ("batches_by_run", ["run", "sender", "due_at", "standing", "asked", "done"]),
                ("batches_by_sender", ["sender", "due_at", "standing", "run", "asked", "done"]),
                ("batches_by_time", ["due_at", "standing", "tapped_hour", "sender", "run", "asked", "done"]),
            )
        ),
    ]
