from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('intake', '0004_pulse'),
    ]

    operations = [
        migrations.AddField(
            model_name='import',
            name='tries',
            field=models.PositiveSmallIntegerField(default=0),
        ),
    ]
