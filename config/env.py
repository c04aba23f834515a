"""Settings from the environment: every name we know, and a loud refusal of one we don't.

A `.env` file beside manage.py is read first; the real environment wins over it.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent

# Every setting, in the order of .env.example (a test holds the two together).
KNOWN = (
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "SITE_URL",
    "ALLOWED_HOSTS",
    "DATABASE_URL",
    "REDIS_URL",
    "EMAIL_URL",
    "MAIL_FROM",
    "MAIL_EVENTS_SECRET",
    "DATA_DIR",
    "NETWORKS_FILE",
    "RATE_SOURCES",
    "SIGNUP_OPEN",
    "STATUS_TOKEN",
    "TRUSTED_PROXIES",
    "LOG_LEVEL",
    "CLOCK_FILE",
    "SANDBOX_BLOCK_SECONDS",
    "PORT",
)

# And for each network of the catalogue: NETWORK_<KEY>_URLS, …
OF_A_NETWORK = re.compile(r"NETWORK_([A-Z0-9]+)_(URLS|ENABLED|CONFIRMATIONS)\Z")
_READ = {
    "URLS": lambda text: [url.strip() for url in text.split(",") if url.strip()],
    "ENABLED": lambda text: {"true": True, "false": False}[text.strip().lower()],
    "CONFIRMATIONS": int,
}

env = environ.Env()


def _refuse_misspelt(names: list[str], where: str) -> None:
    for name in names:
        if name.startswith("NETWORK_") and not OF_A_NETWORK.match(name):
            raise ImproperlyConfigured(
                f"{name} {where} is not a setting of Quittance. A network has NETWORK_<KEY>_URLS, _ENABLED and _CONFIRMATIONS."
            )
        near = difflib.get_close_matches(name, KNOWN, n=1, cutoff=0.86)
        if near and name not in KNOWN:
            raise ImproperlyConfigured(f"{name} {where} is not a setting of Quittance. Did you mean {near[0]}? The list is in .env.example.")


def read() -> None:
    """Load `.env` and refuse names that are not ours: any unknown one in the file, near misses in the environment."""
    path = ROOT / ".env"
    if path.exists():
        names = [
            line.split("=", 1)[0].strip().removeprefix("export ")
            for line in path.read_text().splitlines()
            if "=" in line and not line.lstrip().startswith("#")
        ]
        _refuse_misspelt(names, "in .env")
        for name in names:
            if name not in KNOWN and not OF_A_NETWORK.match(name):
                raise ImproperlyConfigured(f"{name} in .env is not a setting of Quittance. The list is in .env.example.")
        environ.Env.read_env(str(path))
    _refuse_misspelt(list(os.environ), "in the environment")


def required(name: str, what: str) -> str:
    """The value of `name`; without one, the sentence that says what to do."""
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. {what} See .env.example.")
    return value


def network_overrides() -> dict[str, dict[str, Any]]:
    """What the environment says of networks: {key: {column: value}}, keys in lower case."""
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(os.environ):
        if match := OF_A_NETWORK.match(name):
            key, column = match[1].lower(), match[2]
            try:
                value: Any = _READ[column](os.environ[name])  # type: ignore[operator]
            except (KeyError, ValueError):
                raise ImproperlyConfigured(f"{name} is {os.environ[name]!r}; see docs/networks.md for what it takes.") from None
            found.setdefault(key, {})[column.lower()] = value
            if column == "CONFIRMATIONS":
                found[key]["larger"] = []
    return found
