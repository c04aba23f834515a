from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0006_a_key_for_each_wallet")]

    operations = [
        migrations.RemoveField(
            model_name='wallet',
            name='next_index',
        ),
        migrations.AddConstraint(
            model_name='receiveaddress',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('index', None), ('invoice', None), ('key', None)), models.Q(('index__isnull', False), ('invoice__isnull', False), ('key__isnull', False)), _connector='OR'), name='address_derived_or_fixed'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('key', None), ('way', 'fixed')), models.Q(models.Q(('way', 'fixed'), _negated=True), ('key__isnull', False)), _connector='OR'), name='wallet_key_or_fixed'),
        ),
    ]
