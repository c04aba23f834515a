"""How a business joins."""

from __future__ import annotations

import secrets
from datetime import datetime

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from merchants import assets
from merchants.events import record
from merchants.models import Membership, Merchant, Role, User

SLUG_LENGTH = 40
TRIES = 5


def found(*, name: str, email: str, user: User, now: datetime, time_zone: str = "UTC") -> Merchant:
    """Found a merchant with `user` as its owner.

    A test merchant where the installation makes those (the demo), and test for ever: it accepts every asset it may. Others
    accept what they connect a wallet for. `email` is where payers
    answer; `time_zone` is an IANA name.
    """
    is_test = _new_ones_are_test()
    for _attempt in range(TRIES):
        try:
            # The name may be taken between the look and the write: then a savepoint gives way and we look again.
            with transaction.atomic():
                merchant = Merchant(slug=_free_slug(name), name=name, email=email, time_zone=time_zone, is_test=is_test)
                merchant.accepted_assets = [asset.id for asset in assets.usable_by(merchant)] if is_test else []
                merchant.save()
                Membership.objects.create(user=user, merchant=merchant, role=Role.OWNER)
                facts = {"name": name, "email": email, "test": is_test}
                record("merchant.founded", merchant=merchant, subject=merchant, now=now, by=user, facts=facts)
                return merchant
        except IntegrityError:
            continue
    raise RuntimeError(f"No free slug for {name!r} after {TRIES} tries.")


def _new_ones_are_test() -> bool:
    if settings.NEW_MERCHANTS_ARE_TEST and not settings.SANDBOX_OPEN:
        raise ImproperlyConfigured("NEW_MERCHANTS_ARE_TEST needs SANDBOX_OPEN: a test merchant could be paid nowhere.")
    return bool(settings.NEW_MERCHANTS_ARE_TEST)


def _free_slug(name: str) -> str:
    """'harbour-pine' for Harbour & Pine, 'harbour-pine-2' when that is taken, 'business-4f1c' for a name without a Latin letter."""
    base = slugify(name)[:SLUG_LENGTH].strip("-_") or f"business-{secrets.token_hex(2)}"
    taken = set(Merchant.objects.filter(slug__startswith=base[: SLUG_LENGTH - 5]).values_list("slug", flat=True))
    if base not in taken:
        return base
    for number in range(2, 1000):
        slug = f"{base[: SLUG_LENGTH - len(str(number)) - 1].rstrip('-_')}-{number}"
        if slug not in taken:
            return slug
    return f"{base[: SLUG_LENGTH - 9].rstrip('-_')}-{secrets.token_hex(4)}"
