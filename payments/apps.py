from django.apps import AppConfig
from django.conf import settings


class PaymentsConfig(AppConfig):
    """How it is paid: quotes, chains, transfers, settlement."""

    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from invoicing import attention, payability
        from payments import gaps, quotes
        from payments.attention import SOURCES
        from payments.rates.attention import unquotable
        from payments.rates.gathering import configured

        payability.register(quotes.objection)
        for source in SOURCES:
            attention.register(source)
        attention.register(unquotable)
        attention.register(gaps.long_gaps)
        configured(settings.RATE_SOURCES)  # a misspelt source stops the start
