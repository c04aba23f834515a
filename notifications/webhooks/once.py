"""A secret that is shown once: kept for the next page, encrypted, then gone."""

from __future__ import annotations

from merchants import secrets
from merchants.access import MerchantRequest, may

KEPT = "secret_once"  # in the session


def keep(request: MerchantRequest, name: str, plain: str) -> None:
    """Keep `plain` for the page that shows `name`, such as 'endpoint:7'."""
    request.session[KEPT] = {"merchant": request.merchant.pk, "name": name, "secret": secrets.encrypt(plain)}


def shown(request: MerchantRequest, name: str) -> str:
    """The secret of `name`, for this once and for an owner; else an empty string."""
    kept = request.session.get(KEPT)
    if not kept or (kept["merchant"], kept["name"]) != (request.merchant.pk, name) or not may(request.membership, "own"):
        return ""
    del request.session[KEPT]
    return secrets.decrypt(kept["secret"])
