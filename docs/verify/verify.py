"""Is this webhook from Quittance? Python 3.9 or later; nothing to install.

`headers` finds a name in any case, as `request.headers` of Django and Flask does; `body` is the raw
bytes of the request, before anything parses them. Both functions answer True or False.
"""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping


def check_standard(secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """Standard Webhooks. `secret` is the endpoint's own and begins with whsec_."""
    message_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not is_recent(timestamp, seconds=300):
        return False
    key = base64.b64decode(secret[len("whsec_") :])
    signed = f"{message_id}.{timestamp}.".encode() + body
    wanted = b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    # There are two while a secret is being replaced: one that fits is enough.
    given = headers.get("webhook-signature", "").split()
    return any(hmac.compare_digest(wanted, signature.encode()) for signature in given)


def check_ccpayment(app_id: str, secret: str, headers: Mapping[str, str], body: bytes) -> bool:
    """CCPayment-compatible (V1). Answer 200 with the body: Success"""
    timestamp = headers.get("Timestamp", "")
    if headers.get("Appid", "") != app_id or not is_recent(timestamp, seconds=120):
        return False
    wanted = hashlib.sha256(f"{app_id}{secret}{timestamp}".encode() + body).hexdigest()
    return hmac.compare_digest(wanted.encode(), headers.get("Sign", "").encode())


def is_recent(timestamp: str, seconds: int) -> bool:
    """What is older, or from the future, may be somebody's replay."""
    return timestamp.isdecimal() and abs(time.time() - int(timestamp)) <= seconds
