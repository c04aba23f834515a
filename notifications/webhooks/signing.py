"""The secrets of endpoints, and the signatures made with them. Pure but for decrypting.

Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body. CCPayment's V1: a plain SHA-256
over App ID, secret, time and body.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from standardwebhooks import Webhook

from merchants.secrets import decrypt
from notifications.models import Endpoint


def new_secret() -> str:
    """'whsec_' and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def keys_of(endpoint: Endpoint, *, now: datetime) -> list[str]:
    """The secrets that sign now, in plain text: the current one, and for a while those before it, the newest first."""
    return [decrypt(stored) for stored in (endpoint.secret, *(old["secret"] for old in old_ones(endpoint, now=now)))]


def old_ones(endpoint: Endpoint, *, now: datetime) -> list[dict[str, str]]:
    """The secrets before the current one that still sign beside it, encrypted as they are stored, the newest first."""
    return [old for old in endpoint.old_secrets if now < datetime.fromisoformat(old["until"])]


def headers(keys: Iterable[str], *, webhook_id: str, at: datetime, body: str) -> dict[str, str]:
    """The three headers that go with `body`: one signature for each of `keys`, so that a secret can rotate."""
    moment = at.astimezone(UTC)  # the library takes the digits for UTC, whatever their zone
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(webhook_id, moment, body) for key in keys),
    }


def ccpayment_sign(*, app_id: str, secret: str, timestamp: str, body: str) -> str:
    """CCPayment's V1 `Sign`: lower-case hex of the SHA-256 of the four, one after the other."""
    return hashlib.sha256(f"{app_id}{secret}{timestamp}{body}".encode()).hexdigest()
