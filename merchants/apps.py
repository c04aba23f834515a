from django.apps import AppConfig


class MerchantsConfig(AppConfig):
    """Whose it is: users, merchants, roles, accepted assets, events."""

    name = "merchants"
    default_auto_field = "django.db.models.BigAutoField"
