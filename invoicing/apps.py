from django.apps import AppConfig


class InvoicingConfig(AppConfig):
    """What is owed: invoices, payers, attachments, money, numbers, PDF."""

    name = "invoicing"
    default_auto_field = "django.db.models.BigAutoField"
