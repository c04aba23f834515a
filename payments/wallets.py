"""Where merchants receive: the one door through which a wallet is connected, replaced and retired.

Nothing here can spend. A key's counter belongs to the key, however it is spelt and whoever connected it, so that no index
is handed out twice; a fixed address belongs to one merchant for ever. A retired wallet gets no new invoice, and its
addresses stay watched.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.http import StreamingHttpResponse
from django.utils.translation import gettext as _

from invoicing import exports
from merchants import haste
from merchants.events import record
from merchants.models import Merchant, Role, User
from payments import addresses, keys
from payments.families import Family, families, family
from payments.gaps import gap, usage, used_index
from payments.models import ReceiveAddress, Transfer, Wallet, WalletKey
from payments.rails import BadAddress

__all__ = [
    "Family",
    "Refused",
    "addresses_csv",
    "connect_fixed",
    "connect_key",
    "families",
    "family",
    "gap",
    "rename",
    "retire",
    "usage",
    "used_index",
]

FURTHEST_START = 1_000_000  # a higher one is a slip of the keyboard, and could not be taken back
NAME_MOST = 60
PRICES = "payments.tasks.refresh_rates"


class Refused(Exception):
    """This cannot be done to this wallet; the text says why."""


# --- connecting -------------------------------------------------------------------------------------------------------
def connect_key(merchant: Merchant, *, family: str, spec: str, name: str, by: User | None, now: datetime, first_index: int = 0) -> Wallet:
    """Receive on `family` at addresses of an extended public key (`keys.PublicKey.spec`), from `first_index` on: it can raise
    the key's counter while nobody else here has the key, never lower it. Replaces the wallet there was. PrivateKeyRefused
    for a key that can spend."""
    of = _open_family(merchant, family)
    spec = _checked(spec, of)
    if not 0 <= first_index <= FURTHEST_START:
        raise Refused(_("Begin with a number from 1 to %(most)s.") % {"most": FURTHEST_START + 1})
    with transaction.atomic():
        held = _owned(merchant, by)
        key, _made = WalletKey.objects.get_or_create(identity=keys.identity(spec))
        _raise(key, first_index, held)
        wallet = _put(held, of, Wallet(way=Wallet.Way.KEY, key=key, spec=spec, name=_named(name, of)), by=by, now=now)
    merchant.accepted_assets = held.accepted_assets
    return wallet


def connect_fixed(merchant: Merchant, *, family: str, address: str, name: str, by: User | None, now: datetime) -> Wallet:
    """Receive on `family` at this one address, which nobody else may have here, now or later. Replaces the wallet there was."""
    keys.refuse_private(address)
    of = _open_family(merchant, family)
    try:
        normal = of.normal(address)
    except BadAddress as error:
        raise Refused(str(error)) from None
    with transaction.atomic():
        held = _owned(merchant, by)
        _free(held, of, normal)
        try:
            with transaction.atomic():
                wallet = _put(held, of, Wallet(way=Wallet.Way.FIXED, fixed_address=normal, name=_named(name, of)), by=by, now=now)
                ReceiveAddress.objects.get_or_create(wallet=wallet, invoice=None, defaults={"family": family, "address": normal, "created_at": now})
        except IntegrityError:  # somebody else's, since a moment ago
            raise Refused(_taken()) from None
    merchant.accepted_assets = held.accepted_assets
    return wallet


def _raise(key: WalletKey, first_index: int, merchant: Merchant) -> None:
    """The counter is everybody's who has the key, and anybody can have a public one: nobody may move it away from another's."""
    to_raise = WalletKey.objects.filter(pk=key.pk, next_index__lt=first_index)
    if to_raise.exists() and Wallet.objects.filter(key=key).exclude(merchant=merchant).exists():
        raise Refused(_("Another business here has used this key too, so its numbering cannot be moved. Begin with number 1."))
    to_raise.update(next_index=first_index)


def _open_family(merchant: Merchant, key: str) -> Family:
    if merchant.is_test:
        raise Refused(_("A test business is paid on the sandbox only, and its wallet is there already."))
    found = next((found for found in families() if found.key == key), None)
    if found is None:
        raise Refused(_("This installation does not receive on these networks."))
    return found


def _checked(spec: str, of: Family) -> str:
    try:
        key = keys.canonical(spec)
    except keys.PrivateKeyRefused:
        raise
    except keys.BadKey as error:
        raise Refused(str(error)) from None
    if key.script not in of.scripts:
        raise Refused(_("%(networks)s has no addresses of this kind.") % {"networks": of.name})
    return key.spec


def _named(name: str, of: Family) -> str:
    keys.refuse_private(name)
    return " ".join(name.split())[:NAME_MOST] or _("%(network)s wallet") % {"network": of.networks[0].name}


def _free(merchant: Merchant, of: Family, address: str) -> None:
    """Refused for an address that is, or once was, another merchant's, or that one of this merchant's own keys made."""
    if Wallet.objects.filter(family=of.key, fixed_address=address).exclude(merchant=merchant).exists():
        raise Refused(_taken())
    made = ReceiveAddress.objects.filter(family=of.key, address=address, invoice__isnull=False).select_related("wallet").first()
    if made:
        raise Refused(_own() if made.wallet.merchant_id == merchant.pk else _taken())


def _taken() -> str:
    return _("This address cannot be connected here. Take another one of your wallet, best a new one.")


def _own() -> str:
    return _("This address was given to one of your invoices already, and is only for that one. Take another one of your wallet.")


def _put(merchant: Merchant, of: Family, new: Wallet, *, by: User | None, now: datetime) -> Wallet:
    """Make `new` the merchant's wallet of this family (under the merchant's lock), or bring back the same one of before."""
    same = {"merchant": merchant, "family": of.key, "spec": new.spec, "fixed_address": new.fixed_address}
    before = Wallet.objects.filter(merchant=merchant, family=of.key, retired_at=None).first()
    if before and (before.spec, before.fixed_address) == (new.spec, new.fixed_address):
        raise Refused(_("This wallet is connected already."))
    if before:
        _end(before, by=by, now=now)
    wallet = Wallet.objects.filter(**same).order_by("id").last()
    if wallet:
        wallet.name, wallet.retired_at, wallet.retired_by = new.name, None, None
        wallet.save(update_fields=["name", "retired_at", "retired_by"])
    else:
        wallet = new
        wallet.merchant, wallet.family, wallet.created_by = merchant, of.key, by
        wallet.save()
    if before is None:
        _accept(merchant, of, wallet.way)
        transaction.on_commit(partial(haste.wake, PRICES), robust=True)  # or the first payer waits a minute for them
    more = {"before": _facts(before)} if before else {}
    _tell("wallet.replaced" if before else "wallet.connected", wallet, merchant, by=by, now=now, **more)
    return wallet


def _accept(merchant: Merchant, of: Family, way: str) -> None:
    """Switch on what the merchant can receive now; what is in beta it switches on itself."""
    able = [asset.id for asset in of.assets if not asset.network.beta and addresses.is_noticed(asset, way=way)]
    new = [found for found in able if found not in merchant.accepted_assets]
    _set_accepted(merchant, [*merchant.accepted_assets, *new])


# --- after that -------------------------------------------------------------------------------------------------------
def retire(wallet: Wallet, *, by: User | None, now: datetime) -> None:
    """No new invoice is paid there, and its tokens are no longer accepted. Refused when it is retired already."""
    with transaction.atomic():
        merchant = _owned(wallet.merchant, by)
        held = Wallet.objects.get(pk=wallet.pk)
        if held.way == Wallet.Way.SANDBOX:
            raise Refused(_("A test business cannot do without its sandbox wallet."))
        if held.retired_at is not None:
            raise Refused(_("This wallet is retired already."))
        _end(held, by=by, now=now)
        ids = {asset.id for asset in family(held.family).assets}
        _set_accepted(merchant, [found for found in merchant.accepted_assets if found not in ids])
        _tell("wallet.retired", held, merchant, by=by, now=now)
    wallet.retired_at, wallet.retired_by = held.retired_at, held.retired_by


def rename(wallet: Wallet, *, name: str, by: User | None, now: datetime) -> bool:
    """Call it `name`, for the merchant's own people; whether that is a change."""
    with transaction.atomic():
        merchant = _owned(wallet.merchant, by)
        held = Wallet.objects.get(pk=wallet.pk)
        was, held.name = held.name, _named(name, family(held.family))
        if held.name == was:
            return False
        held.save(update_fields=["name"])
        _tell("wallet.renamed", held, merchant, by=by, now=now, was=was)
    wallet.name = held.name
    return True


def _end(wallet: Wallet, *, by: User | None, now: datetime) -> None:
    wallet.retired_at, wallet.retired_by = now, by
    wallet.save(update_fields=["retired_at", "retired_by"])


# --- under the lock ---------------------------------------------------------------------------------------------------
def _owned(merchant: Merchant, by: User | None) -> Merchant:
    """The merchant's row, held to the end of the transaction; `by` is an owner still. Not FOR UPDATE: other workers insert
    rows that refer to it."""
    held = Merchant.objects.select_for_update(no_key=True).get(pk=merchant.pk)
    if by is not None and not held.memberships.filter(role=Role.OWNER, user=by).exists():
        raise Refused(_("You are no owner of %(business)s any more.") % {"business": held.name})
    return held


def _set_accepted(merchant: Merchant, ids: list[str]) -> None:
    merchant.accepted_assets = ids
    merchant.save(update_fields=["accepted_assets"])


def _tell(kind: str, wallet: Wallet, merchant: Merchant, *, by: User | None, now: datetime, **more: Any) -> None:
    """Its event. It names the owners: each of them is mailed."""
    owners = list(merchant.memberships.filter(role=Role.OWNER).order_by("id").values_list("user__email", flat=True))
    facts = {"business": merchant.name, "owners": owners, **_facts(wallet), **more}
    if by:
        facts["who"] = by.display_name
    record(kind, merchant=merchant, subject=wallet, now=now, by=by, facts=facts)


def _facts(wallet: Wallet) -> dict[str, str]:
    return {"wallet": wallet.name, "networks": family(wallet.family).name, "way": wallet.way, "shows": shown(wallet)}


def shown(wallet: Wallet) -> str:
    """What people know the wallet by: its fixed address, or its key without the middle."""
    return keys.shown(wallet.spec) if wallet.way == Wallet.Way.KEY else wallet.fixed_address


def first_number(spec: str, wanted: int) -> int:
    """The number (from 1) of the address that the next invoice would get from a key that is to begin with number `wanted`:
    later, when some were handed out already."""
    counter = WalletKey.objects.filter(identity=keys.identity(spec)).values_list("next_index", flat=True).first()
    return max(wanted, (counter or 0) + 1)


# --- its addresses as a file --------------------------------------------------------------------------------------------
def addresses_csv(wallet: Wallet, *, now: datetime) -> StreamingHttpResponse:
    """Every address that was handed out, in the order of the key, with the path at which a wallet finds it."""
    name = exports.file_name("addresses", wallet.merchant, now)
    header = [_("Number"), _("Path"), _("Address"), _("Networks"), _("Invoice"), _("Handed out"), _("Received")]
    return exports.stream(name, header, _rows(wallet))


def _rows(wallet: Wallet) -> Iterator[list[str]]:
    networks, zone = family(wallet.family).name, wallet.merchant.time_zone
    paid = set(_paid(wallet))
    rows = ReceiveAddress.objects.filter(wallet=wallet).select_related("invoice").order_by("index", "id")
    for row in rows.iterator(exports.CHUNK):
        yield [
            "" if row.index is None else str(row.index + 1),
            path(wallet, row.index),
            *(row.address, networks, exports.guarded(row.invoice.name) if row.invoice else ""),
            exports.moment(row.created_at, zone),
            _("yes") if row.pk in paid else "",
        ]


def _paid(wallet: Wallet) -> Iterator[int]:
    came = Transfer.objects.filter(receive_address__wallet=wallet).exclude(status=Transfer.State.DROPPED)
    yield from came.order_by().values_list("receive_address", flat=True).distinct()


def path(wallet: Wallet, index: int | None) -> str:
    """Where the merchant's own wallet finds the address; empty for one that is not of a key."""
    return "" if index is None or wallet.way != Wallet.Way.KEY else keys.path(wallet.spec, index, family=wallet.family)
