from django.db import migrations, models
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Lower, NullIf


class Migration(migrations.Migration):
    dependencies = [("invoicing", "0009_messages")]

    operations = [
        migrations.AddIndex(
            model_name="invoice",
            index=models.Index(
                Lower(Coalesce(NullIf(F("mail_to"), Value("")), F("payer_email"))), name="invoice_reaches", condition=Q(status="open")
            ),
        ),
    ]
