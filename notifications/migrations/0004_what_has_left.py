from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("notifications", "0003_delivery_of_day"),
    ]

    operations = [
        migrations.AddField(
            model_name="mailserver",
            name="failing_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="delivery",
            index=models.Index(condition=models.Q(("sent_at__isnull", False)), fields=["merchant", "channel", "sent_at"], name="delivery_left"),
        ),
        migrations.RemoveIndex(
            model_name="delivery",
            name="delivery_of_day",
        ),
    ]
