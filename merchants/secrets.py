"""Secrets at rest: encrypted with Fernet under the installation's keys, newest first.

To rotate a key, put the new one first in ENCRYPTION_KEYS and keep the old ones behind it: what they
encrypted still opens, and everything written from then on uses the new one.
"""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """A stored secret opens with none of the configured keys."""


def _fernet() -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in settings.ENCRYPTION_KEYS])


def encrypt(plain: str) -> str:
    return _fernet().encrypt(plain.encode()).decode()


def decrypt(stored: str) -> str:
    try:
        return _fernet().decrypt(stored.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable("This secret was encrypted with a key that ENCRYPTION_KEYS no longer lists.") from error
