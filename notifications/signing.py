"""Signatures of webhooks by Standard Webhooks (https://www.standardwebhooks.com): HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime

from standardwebhooks import Webhook


def new_secret() -> str:
    """'whsec_' and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def headers(keys: Iterable[str], *, webhook_id: str, at: datetime, body: str) -> dict[str, str]:
    """The three headers that go with `body`: one signature for each of `keys`, so that a secret can rotate."""
    moment = at.astimezone(UTC)  # the library takes the digits for UTC, whatever their zone
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(Webhook(key).sign(webhook_id, moment, body) for key in keys),
    }
