from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    """How it is paid: quotes, chains, transfers, settlement."""

    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from invoicing import payability
        from payments import quotes

        payability.register(quotes.objection)
