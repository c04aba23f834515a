"""Where a refund goes: the payer's link, the address it gives, and the mail that it confirms it with.

The links are made as their mails leave and are kept nowhere. An address is fixed only when the payer has opened the second
mail and said so; the sender's address of the payment is never used by itself, since it is often an exchange's.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core import signing
from django.db import transaction
from django.utils.translation import gettext as _

from invoicing.models import Invoice
from merchants import assets
from merchants.models import User
from payments import keys, refunds
from payments.models import Claim, ReceiveAddress, Refund, Wallet
from payments.rails import BadAddress, rail_for

CLAIM_SIGNER = signing.Signer(sep=".", salt="payments.claims.refund")
CONFIRM_SIGNER = signing.Signer(sep=".", salt="payments.claims.address")
CONFIRM_LASTS = timedelta(days=2)
MOST_A_DAY = 10  # addresses given, each of which is a mail
LAST = 4  # characters that the payer compares with its wallet
AHEAD = 20  # addresses of a key that were not handed out yet, and are the merchant's own all the same
NOBODYS = 0xFFFF  # EVM: the addresses from 0 to here are the chain's own


class CannotClaim(Exception):
    """This address cannot be taken, or not now; the text says why, for the payer."""


class OtherEnding(CannotClaim):
    """The characters that were given beside the address are not its last ones."""


class SecretGiven(CannotClaim):
    """What was typed can spend: it must not be shown again, nor written anywhere."""


# --- links --------------------------------------------------------------------------------------------------------------


def link_token(refund: Refund) -> str:
    """What stands in the payer's link. It opens for as long as no newer one was asked for."""
    return CLAIM_SIGNER.sign_object([refund.pk, refund.nonce])


def read_token(token: str) -> Refund | None:
    """The refund of a link, whatever has become of it; None for a link that is not whole or was replaced."""
    found = _read(CLAIM_SIGNER, token)
    return (
        Refund.objects.select_related("invoice__merchant", "merchant", "credit_note").filter(pk=found[0], nonce=found[1]).first() if found else None
    )


def sender_of(token: str) -> Invoice | None:
    """The invoice of a link that was whole and may have been replaced since: it says whom to ask, and opens nothing more."""
    if found := _read(CLAIM_SIGNER, token):
        return Invoice.objects.select_related("merchant").filter(refunds=found[0]).first()
    if found := _read(CONFIRM_SIGNER, token):
        return Invoice.objects.select_related("merchant").filter(refunds__claims=found[0]).first()
    return None


def _read(signer: signing.Signer, token: str) -> tuple[int, str] | None:
    try:
        pk, nonce = signer.unsign_object(token)
    except (signing.BadSignature, ValueError, TypeError):
        return None
    return pk, nonce


def confirm_token(claim: Claim) -> str:
    return CONFIRM_SIGNER.sign_object([claim.pk, claim.nonce])


def read_confirm(token: str) -> Claim | None:
    """The address that a link of the second mail is about, whatever has become of it."""
    found = _read(CONFIRM_SIGNER, token)
    return Claim.objects.select_related("refund__invoice__merchant").filter(pk=found[0], nonce=found[1]).first() if found else None


def is_open(refund: Refund, now: datetime) -> bool:
    """Whether an address can be given now."""
    return refund.status == Refund.State.REQUESTED and now < refund.claim_until


def stands(claim: Claim, now: datetime) -> bool:
    """Whether confirming it would still fix its address: the latest one, in time, of the claim it was given in."""
    refund = claim.refund
    newest = Claim.objects.filter(refund=refund).order_by("-id").values_list("pk", flat=True).first()
    return is_open(refund, now) and claim.for_nonce == refund.nonce and now < claim.until and newest == claim.pk


def given(refund: Refund, now: datetime) -> Claim | None:
    """The address that was given last, while confirming it would still fix it."""
    claim = Claim.objects.filter(refund=refund).select_related("refund").order_by("-id").first()
    return claim if claim and stands(claim, now) else None


# --- addresses ------------------------------------------------------------------------------------------------------------


def checked(refund: Refund, text: str) -> str:
    """The address in its one spelling. CannotClaim, with a sentence, for what is none on this network, has a wrong checksum, is a
    token's contract or the chain's own, or the merchant's."""
    try:
        asset = refund.asset
    except assets.UnknownAsset:
        raise CannotClaim(_("This refund cannot be sent as it is. Write to %(name)s.") % {"name": refund.invoice.merchant_name}) from None
    try:
        keys.refuse_private(text)
    except keys.PrivateKeyRefused:
        raise SecretGiven(_("That is a key or a phrase that can spend your money. Show it to nobody. Give your address instead.")) from None
    try:
        address = rail_for(asset.network.id).normal("".join(text.split()))  # people copy groups of four, and broken lines
    except BadAddress as error:
        raise CannotClaim(str(error)) from None
    tokens = {one.contract.lower() for one in assets.catalogue().assets.values() if one.network.id == asset.network.id and one.contract}
    if address.lower() in tokens:
        raise CannotClaim(_("This is the address of a token itself, and what is sent there is lost. Give an address of your own wallet."))
    if address.startswith("0x") and int(address, 16) <= NOBODYS:
        raise CannotClaim(_("This address is nobody’s, and what is sent there is lost. Give an address of your own wallet."))
    if _is_merchants(refund, address):
        raise CannotClaim(_("This address belongs to %(business)s. Give one of your own wallet.") % {"business": refund.invoice.merchant_name})
    return address


def _is_merchants(refund: Refund, address: str) -> bool:
    """Whether the money would come back to who sends it: to an address that it ever handed out, or that is next. What another
    merchant here receives at is nobody's business, and may be the payer's own."""
    family = refund.asset.network.family
    if ReceiveAddress.objects.filter(wallet__merchant=refund.merchant, family=family, address=address).exists():
        return True
    rail = rail_for(refund.network)
    wallets = Wallet.objects.filter(merchant=refund.merchant, family=family, key__isnull=False).select_related("key")
    for wallet in wallets:
        first = wallet.key.next_index if wallet.key else 0
        if any(rail.address(key=wallet.spec, index=index) == address for index in range(first, first + AHEAD)):
            return True
    return False


def offer(refund: Refund, *, address: str, last: str, now: datetime) -> Claim:
    """The payer gives `address`, and its `last` characters once more as its wallet shows them: a mail asks it to confirm. CannotClaim,
    with a sentence, otherwise."""
    normal = checked(refund, address)
    if not _ends_with(normal, last):
        raise OtherEnding(_("The address does not end like this. Compare it with the one in your wallet, letter by letter."))
    with transaction.atomic():
        invoice, held = refunds.locked(refund)
        if held.nonce != refund.nonce or held.asset_id != refund.asset_id or not is_open(held, now):
            raise CannotClaim(_("This refund has changed since. Open the link of the latest mail."))
        if Claim.objects.filter(refund=held, given_at__gt=now - timedelta(days=1)).count() >= MOST_A_DAY:
            raise CannotClaim(_("You have given many addresses today. Try again tomorrow, or write to %(name)s.") % {"name": invoice.merchant_name})
        claim = Claim.objects.create(refund=held, address=normal, for_nonce=held.nonce, given_at=now, until=now + CONFIRM_LASTS)
        refunds.tell("refund.address_given", held, invoice, now=now, extra={"claim": claim.pk})
        return claim


def _ends_with(address: str, last: str) -> bool:
    typed = "".join(last.split())
    if address.startswith("0x"):
        return len(typed) >= LAST and address.lower().endswith(typed.lower())
    return len(typed) >= LAST and address.endswith(typed)


def confirm(claim: Claim, *, now: datetime) -> Refund:
    """The payer has opened the second mail and says that the address is right: it is fixed. Again is nothing new. CannotClaim when
    another one was given since, or it is too late."""
    refund = claim.refund
    if claim.confirmed_at is not None and refund.address == claim.address and claim.for_nonce == refund.nonce:
        return refund
    if not stands(claim, now):
        raise CannotClaim(_("This link does not hold any more. Open the link of the latest mail."))
    try:
        return refunds.claimed(refund, address=claim.address, by=None, nonce=claim.for_nonce, now=now)
    except refunds.Refused as reason:
        raise CannotClaim(str(reason)) from None


def enter(refund: Refund, *, address: str, by: User, now: datetime) -> Refund:
    """A member writes down the address that the payer gave elsewhere: that is an event, and the payer is told. CannotClaim, or
    refunds.Refused."""
    return refunds.claimed(refund, address=checked(refund, address), by=by, nonce=refund.nonce, now=now)
