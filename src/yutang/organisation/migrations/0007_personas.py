from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('organisation', '0006_phone_links'),
    ]

    operations = [
        migrations.AddField(
            model_name='senderaccount',
            name='persona',
            field=models.JSONField(null=True),
        ),
    ]
