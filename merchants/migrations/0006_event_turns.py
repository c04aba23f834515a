from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('merchants', '0005_messages'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='event', name='event_waiting'),
        migrations.AddIndex(
            model_name='event',
            index=models.Index(condition=models.Q(('fanned_out_at', None)), fields=['merchant', 'fan_out_tries', 'id'], name='event_turns'),
        ),
    ]
