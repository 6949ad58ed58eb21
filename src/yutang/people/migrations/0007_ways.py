"""Addresses are facts of the warehouse too (`fact_ways`): everybody is told of once more."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("people", "0006_groups")]

    operations = [
        migrations.RunSQL("INSERT INTO people_unmirrored (person) SELECT id FROM people_person", migrations.RunSQL.noop)
    ]
