"""The link in a notice that switches its kind off for the business (RFC 2369, RFC 8058).

It is for who reads the business email, who may have no account here: the link itself is the permission, and all it can do is
stop that one kind of notice. A member switches it on again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.core import signing
from django.urls import reverse

from merchants import profile
from merchants.models import Merchant

SIGNER = signing.Signer(sep=".", salt="notifications.mail.unsubscribing")


@dataclass(frozen=True)
class Found:
    """What a link is about."""

    merchant: Merchant
    notice: str  # one of profile.NOTICES

    @property
    def is_off(self) -> bool:
        return self.notice in self.merchant.notices_off


def link(merchant_id: int, notice: str) -> str:
    token = SIGNER.sign_object([merchant_id, notice])
    return settings.SITE_URL + reverse("unsubscribe", args=[token])


def headers(url: str) -> dict[str, str]:
    """What lets a mail program show its own button; it asks `url` with a POST and no cookie."""
    return {"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}


def read(token: str) -> Found | None:
    """None for a link that is not whole."""
    try:
        pk, notice = SIGNER.unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    merchant = Merchant.objects.filter(pk=pk).first()
    return Found(merchant, notice) if merchant and notice in profile.NOTICES else None


def switch_off(found: Found, *, now: datetime) -> bool:
    """False when it was off already."""
    return profile.set_notices(found.merchant, wanted={found.notice: False}, by=None, now=now)
