import django.db.models.deletion
import merchants.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('invoicing', '0006_overview'),
        ('merchants', '0003_prices'),
        ('payments', '0004_received'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='BalanceLook',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('network', models.CharField(max_length=60)),
                ('baseline_units', merchants.fields.UnitsField(blank=True, null=True)),
                ('sent_count', models.PositiveBigIntegerField(default=0)),
                ('before_units', merchants.fields.UnitsField(default=0)),
                ('received_units', merchants.fields.UnitsField(default=0)),
                ('height', models.PositiveBigIntegerField(blank=True, null=True)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name='Hint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('network', models.CharField(max_length=60)),
                ('txid', models.CharField(blank=True, max_length=120)),
                ('given_at', models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name='PastPrices',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=20)),
                ('at', models.DateTimeField()),
                ('values', models.JSONField()),
            ],
            options={
                'verbose_name_plural': 'past prices',
            },
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=20)),
                ('currency', models.CharField(max_length=3)),
                ('value', models.CharField(max_length=60)),
                ('source', models.CharField(max_length=60)),
                ('at', models.DateTimeField()),
                ('refused', models.CharField(blank=True, max_length=200)),
            ],
        ),
        migrations.CreateModel(
            name='WalletKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identity', models.CharField(max_length=64, unique=True)),
                ('next_index', models.PositiveIntegerField(default=0)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name='receiveaddress',
            name='address_index_once',
        ),
        migrations.RemoveConstraint(
            model_name='wallet',
            name='wallet_of_family_once',
        ),
        migrations.AddField(
            model_name='cursor',
            name='behind_since',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='cursor',
            name='failures',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='cursor',
            name='head_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='cursor',
            name='head_height',
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='cursor',
            name='retry_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='cursor',
            name='source',
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name='quote',
            name='holds_amount',
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name='transfer',
            name='assigned_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='transfer',
            name='assigned_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transfer',
            name='handled_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='transfer',
            name='handled_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='transfer',
            name='handled_note',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AddField(
            model_name='wallet',
            name='created_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='wallet',
            name='fixed_address',
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AddField(
            model_name='wallet',
            name='retired_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='wallet',
            name='retired_by',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='wallet',
            name='spec',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='wallet',
            name='way',
            field=models.CharField(choices=[('sandbox', 'Sandbox'), ('fixed', 'One fixed address'), ('key', 'Extended public key')], default='sandbox', max_length=8),
        ),
        migrations.AlterField(
            model_name='receiveaddress',
            name='index',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name='receiveaddress',
            name='invoice',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='addresses', to='invoicing.invoice'),
        ),
        migrations.AddIndex(
            model_name='quote',
            index=models.Index(condition=models.Q(('holds_amount', True)), fields=['invoice'], name='quote_holding'),
        ),
        migrations.AddIndex(
            model_name='transfer',
            index=models.Index(condition=models.Q(('invoice', None)), fields=['receive_address', 'id'], name='transfer_unassigned'),
        ),
        migrations.AddConstraint(
            model_name='quote',
            constraint=models.UniqueConstraint(condition=models.Q(('holds_amount', True)), fields=('receive_address', 'asset_id', 'amount_units'), name='quote_amount_once'),
        ),
        migrations.AddField(
            model_name='balancelook',
            name='address',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='looks', to='payments.receiveaddress'),
        ),
        migrations.AddField(
            model_name='hint',
            name='invoice',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='hints', to='invoicing.invoice'),
        ),
        migrations.AddConstraint(
            model_name='pastprices',
            constraint=models.UniqueConstraint(fields=('name', 'at'), name='past_prices_once'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.UniqueConstraint(fields=('name', 'currency'), name='price_once'),
        ),
        migrations.AddField(
            model_name='receiveaddress',
            name='key',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='addresses', to='payments.walletkey'),
        ),
        migrations.AddField(
            model_name='wallet',
            name='key',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='wallets', to='payments.walletkey'),
        ),
        migrations.AddConstraint(
            model_name='receiveaddress',
            constraint=models.UniqueConstraint(fields=('key', 'index'), name='address_index_once'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.UniqueConstraint(condition=models.Q(('retired_at', None)), fields=('merchant', 'family'), name='wallet_of_family_once'),
        ),
        migrations.AddConstraint(
            model_name='wallet',
            constraint=models.UniqueConstraint(condition=models.Q(('fixed_address', ''), _negated=True), fields=('family', 'fixed_address'), name='wallet_fixed_once'),
        ),
        migrations.AddIndex(
            model_name='balancelook',
            index=models.Index(fields=['network', 'due_at'], name='balance_look_due'),
        ),
        migrations.AddConstraint(
            model_name='balancelook',
            constraint=models.UniqueConstraint(fields=('address', 'network'), name='balance_look_once'),
        ),
        migrations.AddIndex(
            model_name='hint',
            index=models.Index(fields=['txid'], name='hint_of_transaction'),
        ),
        migrations.AddConstraint(
            model_name='hint',
            constraint=models.UniqueConstraint(fields=('invoice', 'network', 'txid'), name='hint_once'),
        ),
    ]
