"""A merchant's App ID, and the secret with which it asks the API for its events itself."""

from __future__ import annotations

import hmac
import secrets as random
from datetime import datetime

from django.db import transaction

from merchants import secrets
from merchants.events import record
from merchants.models import Merchant, User
from notifications.audience import owners
from notifications.models import Application


def application(merchant: Merchant) -> Application:
    """The merchant's App ID, made when it is first needed: with an endpoint, or with a secret of the API."""
    return Application.objects.get_or_create(merchant=merchant)[0]


def known(merchant: Merchant) -> Application | None:
    """Its App ID, if it has one yet."""
    return Application.objects.filter(merchant=merchant).first()


def new_api_secret(merchant: Merchant, *, by: User, now: datetime) -> str:
    """A new secret of the API, in plain text for this once. The one before it opens nothing any more."""
    plain = "qsk_" + random.token_urlsafe(32)
    with transaction.atomic():
        held = application(merchant)
        Application.objects.filter(pk=held.pk).update(secret=secrets.encrypt(plain), secret_at=now)
        facts = {"app_id": held.app_id, "business": merchant.name, "who": by.display_name, "owners": owners(merchant)}
        record("application.secret_made", merchant=merchant, subject=held, now=now, by=by, facts=facts)
    return plain


def check_api(app_id: str, secret: str) -> Merchant | None:
    """The merchant that these belong to; None for anything else. Takes as long for an App ID that nobody has."""
    found = Application.objects.select_related("merchant").filter(app_id=app_id).exclude(secret="").first()
    right = secrets.decrypt(found.secret if found else _nobodys())
    return found.merchant if hmac.compare_digest(right.encode(), secret.encode()) and found else None


def _nobodys() -> str:
    """A secret that nobody was given."""
    return secrets.encrypt(random.token_urlsafe(32))
