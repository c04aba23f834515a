"""Invoices that were paid before searching knew of transaction ids and addresses: noted on each, as payments does now."""

from django.db import migrations, models


def note(apps, schema_editor):
    """Repeatable: what stands there already is left out."""
    Invoice = apps.get_model("invoicing", "Invoice")
    for name, column in (("ReceiveAddress", "address"), ("Transfer", "txid")):
        rows = apps.get_model("payments", name).objects.exclude(invoice=None).order_by("id")
        for pk, text in rows.values_list("invoice_id", column).iterator(chunk_size=2000):
            noted = Invoice.objects.filter(pk=pk).exclude(search_text__contains=text.casefold())
            noted.update(search_text=models.functions.Concat(models.F("search_text"), models.Value("\n" + text.casefold())))


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_recorded_payments"), ("invoicing", "0005_search")]

    operations = [
        migrations.AddIndex(
            model_name="transfer",
            index=models.Index(fields=["asset_id", "invoice"], name="transfer_in_asset"),
        ),
        migrations.RunPython(note, migrations.RunPython.noop),
    ]
