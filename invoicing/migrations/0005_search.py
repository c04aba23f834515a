"""The words that searching looks through, for invoices written before there were any; and on PostgreSQL the index over them.

SQLite has no trigrams: there a search reads the merchant's rows.
"""

from django.contrib.postgres.operations import BtreeGinExtension, TrigramExtension
from django.db import migrations

from invoicing.search import own_words

BATCH = 1000
INDEX = """
    CREATE INDEX IF NOT EXISTS invoice_search ON invoicing_invoice
    USING gin (merchant_id, search_text gin_trgm_ops) WITH (fastupdate = off)
"""


def fill(apps, schema_editor):
    """Repeatable: it takes only rows that have no words yet."""
    Invoice = apps.get_model("invoicing", "Invoice")
    without = Invoice.objects.using(schema_editor.connection.alias).filter(search_text="").order_by("id")
    last = 0
    while rows := list(without.filter(id__gt=last)[:BATCH]):
        for row in rows:
            row.search_text = own_words(row)
        Invoice.objects.bulk_update(rows, ["search_text"])
        last = rows[-1].pk


def index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(INDEX)


def no_index(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS invoice_search")


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0004_lists")]

    operations = [
        TrigramExtension(),
        BtreeGinExtension(),
        migrations.RunPython(fill, migrations.RunPython.noop),
        migrations.RunPython(index, no_index),
    ]
