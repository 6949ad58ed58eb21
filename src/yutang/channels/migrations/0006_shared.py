"""What all processes share of a platform's state: tokens, blocks, and how many callbacks were turned away."""

from django.db import migrations, models

import yutang.kernel.clock
import yutang.kernel.fields


class Migration(migrations.Migration):
    dependencies = [("channels", "0005_syncs")]

    operations = [
        migrations.CreateModel(
            name="PlatformToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", models.CharField(max_length=160, unique=True)),
                ("value", yutang.kernel.fields.EncryptedTextField()),
                ("expires_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="PlatformBlock",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("scope", models.CharField(max_length=160)),
                ("api", models.CharField(max_length=80)),
                ("until", models.DateTimeField()),
                ("strikes", models.PositiveIntegerField()),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("scope", "api"), name="one_block_once")],
            },
        ),
        migrations.CreateModel(
            name="RefusedCallback",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("channel", models.CharField(max_length=16)),
                ("corp", models.CharField(max_length=64)),
                ("count", models.PositiveBigIntegerField(default=0)),
                ("last_at", models.DateTimeField(default=yutang.kernel.clock.wall_now)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("channel", "corp"), name="one_count_of_refusals")],
            },
        ),
    ]
