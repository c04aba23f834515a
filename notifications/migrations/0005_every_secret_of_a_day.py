from django.db import migrations, models


def keep_old_secrets(apps, schema_editor):
    """The one secret before the current one becomes the first of a list."""
    for endpoint in apps.get_model("notifications", "Endpoint").objects.exclude(old_secret="").exclude(old_secret_until=None):
        endpoint.old_secrets = [{"secret": endpoint.old_secret, "until": endpoint.old_secret_until.isoformat()}]
        endpoint.save(update_fields=["old_secrets"])


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0004_what_has_left'),
    ]

    operations = [
        migrations.AddField(
            model_name='endpoint',
            name='old_secrets',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.RunPython(keep_old_secrets, migrations.RunPython.noop),
        migrations.RemoveField(
            model_name='endpoint',
            name='old_secret',
        ),
        migrations.RemoveField(
            model_name='endpoint',
            name='old_secret_until',
        ),
    ]
