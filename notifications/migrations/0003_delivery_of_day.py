from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('notifications', '0002_messages'),
    ]

    operations = [
        migrations.AddIndex(
            model_name='delivery',
            index=models.Index(condition=models.Q(('status', 'sent')), fields=['merchant', 'channel', 'sent_at'], name='delivery_of_day'),
        ),
    ]
