import hashlib

from django.db import migrations


def give_keys(apps, schema_editor):
    """A sandbox wallet's counter moves to a key of its own; its addresses stay what they are."""
    for wallet in apps.get_model("payments", "Wallet").objects.filter(key=None, way="sandbox"):
        wallet.spec = f"sandbox:{wallet.pk}"
        identity = hashlib.sha256(wallet.spec.encode()).hexdigest()
        wallet.key = apps.get_model("payments", "WalletKey").objects.create(identity=identity, next_index=wallet.next_index)
        wallet.save(update_fields=["key", "spec"])
        wallet.addresses.update(key=wallet.key)


class Migration(migrations.Migration):
    dependencies = [("payments", "0005_real_networks")]
    operations = [migrations.RunPython(give_keys, migrations.RunPython.noop)]
