from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("invoicing", "0006_overview"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(condition=models.Q(("status", "paid")), fields=["paid_at"], name="invoice_paid_lately"),
        ),
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(condition=models.Q(("status", "void")), fields=["voided_at"], name="invoice_void_lately"),
        ),
    ]
