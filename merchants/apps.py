from django.apps import AppConfig
from django.core.exceptions import ImproperlyConfigured


class MerchantsConfig(AppConfig):
    """Whose it is: users, merchants, roles, accepted assets, events."""

    name = "merchants"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Read the catalogue once, so that what is wrong with it stops the start and not the first payer."""
        from merchants import assets

        try:
            assets.catalogue()
        except (KeyError, ValueError, TypeError, OSError) as error:
            raise ImproperlyConfigured(f"The catalogue of networks cannot be used: {error}.") from None
