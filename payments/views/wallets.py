"""Wallets: where money arrives. Everyone sees them; an owner connects, replaces and retires them, freshly signed in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_safe

from merchants import assets, clock
from merchants.access import MerchantRequest, may, needs
from merchants.assets import Network
from merchants.views import fresh
from payments import gaps, wallets, watching
from payments.families import Family, Way
from payments.forms_wallets import CHECKED, FORMS, FixedForm, KeyForm, NameForm
from payments.gaps import Usage
from payments.models import ReceiveAddress, Wallet
from payments.watching import Watch

READ_OR_POST = ["GET", "HEAD", "POST"]
SHOWN_MORE = 20  # addresses of a key that can be looked at before it is connected
ON_A_PAGE = 50


@dataclass(frozen=True)
class Row:
    """A wallet as lists and its page show it."""

    wallet: Wallet
    family: Family
    usage: Usage | None
    watches: list[Watch]

    @property
    def watch(self) -> Watch | None:
        return watching.worst(self.watches)

    @property
    def shown(self) -> str:
        return wallets.shown(self.wallet)

    @property
    def next_address(self) -> str:
        """Where the next invoice's payer is sent; empty for a wallet that has no such place."""
        if self.wallet.way == Way.KEY and self.usage and self.wallet.retired_at is None:
            return self.family.address(self.wallet.spec, self.usage.following)
        return self.wallet.fixed_address

    @property
    def number_used(self) -> int | None:
        """The highest address with money, counted from 1 as people do."""
        return None if self.usage is None or self.usage.used is None else self.usage.used + 1


def _row(wallet: Wallet, watched: dict[str, list[Watch]]) -> Row:
    found = wallets.family(wallet.family)
    return Row(wallet, found, gaps.usage(wallet), watched.get(wallet.family, []))


def _own(request: MerchantRequest, pk: int) -> Wallet:
    """The wallet `pk` of the merchant in the path; anybody else's is a 404."""
    wallet = get_object_or_404(gaps.with_usage(Wallet.objects.filter(merchant=request.merchant)), pk=pk)
    wallet.merchant = request.merchant
    return wallet


@needs("see")
@require_safe
def index(request: MerchantRequest) -> HttpResponse:
    now = clock.now()
    found = list(gaps.with_usage(Wallet.objects.filter(merchant=request.merchant)).order_by("id"))
    watched = watching.watches(zone=request.merchant.time_zone, now=now)
    rows = [_row(wallet, watched) for wallet in found]
    taken = {wallet.family for wallet in found if wallet.retired_at is None}
    context = {
        "nav": "wallets",
        "rows": [row for row in rows if row.wallet.retired_at is None],
        "retired": [row for row in rows if row.wallet.retired_at is not None],
        "more": [] if request.merchant.is_test else [family for family in wallets.families() if family.key not in taken],
        "owns": may(request.membership, "own"),
    }
    return render(request, "payments/wallets.html", context)


# --- connecting -------------------------------------------------------------------------------------------------------
def _turned_away(request: MerchantRequest) -> HttpResponse | None:
    """A test business connects nothing; the list says why."""
    if not request.merchant.is_test:
        return None
    messages.info(request, _("This is a test business: it is paid on the sandbox only, and its wallet is there already."))
    return redirect("wallets", request.merchant.slug)


def _family(key: str) -> Family:
    for found in wallets.families():
        if found.key == key:
            return found
    raise Http404


@needs("own")
@require_safe
def choose(request: MerchantRequest) -> HttpResponse:
    """Which network."""
    if away := _turned_away(request):
        return away
    active = Wallet.objects.filter(merchant=request.merchant, retired_at=None)
    here = {wallet.family: wallet for wallet in active}
    families = [(family, here.get(family.key)) for family in wallets.families()]
    return render(request, "payments/wallet_choose.html", {"nav": "wallets", "families": families})


def _page_of(request: MerchantRequest, of: Family, way: str) -> str:
    return f"{reverse('wallet_family', args=[request.merchant.slug, of.key])}?way={way}"


def _way(data: QueryDict, of: Family) -> str:
    asked = data.get("way", "")
    return asked if asked in FORMS else of.ways[0]


@needs("own")
@require_safe
@never_cache
def family(request: MerchantRequest, family: str) -> HttpResponse:
    """The way, and the address or the key."""
    if held_up := fresh.sign_in_again(request, back=request.get_full_path()):
        return held_up
    if away := _turned_away(request):
        return away
    of = _family(family)
    way = _way(request.GET, of)
    kept = fresh.typed(request, at=_page_of(request, of, way))
    return _ask(request, of, FORMS[way](of=of, merchant=request.merchant, initial=kept))


def _ask(request: MerchantRequest, of: Family, form: FixedForm | KeyForm) -> HttpResponse:
    context = {
        "nav": "wallets",
        "family": of,
        "form": form,
        "way": form.way,
        "ways": [(way, _page_of(request, of, way)) for way in of.ways],
        "before": Wallet.objects.filter(merchant=request.merchant, family=of.key, retired_at=None).first(),
    }
    return render(request, "payments/wallet_connect.html", context, status=422 if form.errors else 200)


@needs("own")
@require_http_methods(READ_OR_POST)
@never_cache
@sensitive_post_parameters("key", "address", "name")
def check(request: MerchantRequest, family: str) -> HttpResponse:
    """Whether it is the merchant's own; then it is connected."""
    here = reverse("wallet_family", args=[request.merchant.slug, family])
    form, back = None, here
    of = next((found for found in wallets.families() if found.key == family), None)
    if of and request.method == "POST":
        way = _way(request.POST, of)
        back, form = _page_of(request, of, way), FORMS[way](_posted(request, of), of=of, merchant=request.merchant)
        if form.spent:  # said at once: nothing of it may wait over a sign-in
            return _ask(request, of, form)
    if held_up := fresh.sign_in_again(request, back=back, keep=form.typed if form else ()):
        return held_up
    if away := _turned_away(request):
        return away
    if of is None:
        raise Http404
    if form is None:
        return redirect(here)
    if not form.is_valid() or "edit" in request.POST:
        return _ask(request, of, form)
    if "connect" in request.POST and not form.untold:
        return _connect(request, of, form)
    return _compare(request, of, form)


def _posted(request: MerchantRequest, of: Family) -> QueryDict:
    """What was sent; with another kind of addresses chosen on the way, everything is to be compared anew."""
    data = request.POST.copy()
    if data.get("use") in of.scripts:
        data["script"] = str(data["use"])
        data.setlist("same", [])
    return data


def _compare(request: MerchantRequest, of: Family, form: FixedForm | KeyForm) -> HttpResponse:
    untold = form.untold if "connect" in request.POST else ""
    context: dict[str, Any] = {"nav": "wallets", "family": of, "form": form, "way": form.way, "untold": untold}
    if isinstance(form, KeyForm) and form.public:
        spec, script = form.public.spec, form.cleaned_data["script"]
        made = [(number + 1, of.address(spec, number)) for number in range(SHOWN_MORE)]
        context |= {
            "public": form.public,
            "first": [(place, number, address, str(place) in form.same) for place, (number, address) in enumerate(made[:CHECKED])],
            "rest": made[CHECKED:],
            "script_name": of.scripts[script],
            "others": [(other, name, of.address(f"{other}:{form.public.xpub}", 0)) for other, name in of.scripts.items() if other != script],
            "begin": wallets.first_number(spec, form.cleaned_data["starts_at"]),
        }
    return render(request, "payments/wallet_check.html", context, status=422 if untold else 200)


def _connect(request: MerchantRequest, of: Family, form: FixedForm | KeyForm) -> HttpResponse:
    told, who = form.cleaned_data, {"by": request.user, "now": clock.now(), "family": of.key, "name": form.cleaned_data["name"]}
    try:
        if isinstance(form, FixedForm):
            wallets.connect_fixed(request.merchant, address=told["address"], **who)
        elif form.public:
            wallets.connect_key(request.merchant, spec=form.public.spec, first_index=told["starts_at"] - 1, **who)
    except wallets.Refused as refusal:
        form.add_error("address" if isinstance(form, FixedForm) else "key", str(refusal))
        return _ask(request, of, form)
    messages.success(request, _("Connected. New invoices on %(networks)s are paid there; every owner is mailed.") % {"networks": of.name})
    return redirect("wallets", request.merchant.slug)


# --- one wallet -------------------------------------------------------------------------------------------------------
@needs("see")
@require_safe
def wallet(request: MerchantRequest, pk: int) -> HttpResponse:
    now, found = clock.now(), _own(request, pk)
    row = _row(found, watching.watches(zone=request.merchant.time_zone, now=now))
    after = request.GET.get("after", "")
    rows = ReceiveAddress.objects.filter(wallet=found, invoice__isnull=False).select_related("invoice").order_by("-id")
    if after.isascii() and after.isdigit() and len(after) < 19:
        rows = rows.filter(pk__lt=int(after))
    page = list(gaps.with_money(rows)[: ON_A_PAGE + 1])
    context = {
        "nav": "wallets",
        "row": row,
        "wallet": found,
        "addresses": [(address, wallets.path(found, address.index)) for address in page[:ON_A_PAGE]],
        "on": page[ON_A_PAGE - 1].pk if len(page) > ON_A_PAGE else None,
        "is_first": not after,
        "networks": [(watch, _accepted(request, watch.network)) for watch in row.watches],
        "owns": may(request.membership, "own"),
    }
    return render(request, "payments/wallet.html", context)


def _accepted(request: MerchantRequest, network: Network) -> list[str]:
    return [asset.symbol for asset in assets.accepted_by(request.merchant) if asset.network.id == network.id]


@needs("see")
@require_safe
def addresses_csv(request: MerchantRequest, pk: int) -> HttpResponse:
    return wallets.addresses_csv(_own(request, pk), now=clock.now())  # type: ignore[return-value]


@needs("own")
@require_http_methods(READ_OR_POST)
@sensitive_post_parameters("name")
def rename(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    form = NameForm(request.POST if request.method == "POST" else None, initial={"name": found.name})
    if not form.is_valid():
        return render(request, "payments/wallet_rename.html", {"nav": "wallets", "wallet": found, "form": form}, status=422 if form.errors else 200)
    changed = wallets.rename(found, name=form.cleaned_data["name"], by=request.user, now=clock.now())
    messages.success(request, _("Saved.") if changed else _("Nothing was changed."))
    return redirect("wallet", request.merchant.slug, pk)


@needs("own")
@require_http_methods(READ_OR_POST)
def retire(request: MerchantRequest, pk: int) -> HttpResponse:
    found = _own(request, pk)
    if held_up := fresh.sign_in_again(request, back=request.path):
        return held_up
    if request.method != "POST":
        context = {"nav": "wallets", "wallet": found, "family": wallets.family(found.family), "shown": wallets.shown(found)}
        return render(request, "payments/wallet_retire.html", context)
    try:
        wallets.retire(found, by=request.user, now=clock.now())
    except wallets.Refused as refusal:
        messages.warning(request, str(refusal))
    else:
        messages.success(request, _("Retired. Its addresses stay watched; every owner is mailed."))
    return redirect("wallets", request.merchant.slug)
