"""The list of invoices: filters are links, pages go by key."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from invoicing import queries
from invoicing.models import Invoice
from merchants import clock
from merchants.access import MerchantRequest, may, needs


@needs("see")
@require_safe
def invoices(request: MerchantRequest) -> HttpResponse:
    now = clock.now()
    show = request.GET.get("show", "all")
    show = show if show in queries.SHOWS else "all"
    search = request.GET.get("q", "").replace("\0", "").strip()[:100]
    found = queries.find(request.merchant, show=show, search=search, now=now)
    page = queries.page(found, before=_key(request, "before"), after=_key(request, "after"))
    context = {
        "nav": "invoices",
        "now": now,
        "page": page,
        "show": show,
        "search": search,
        "chips": [(key, word, _query(show=key, q=search)) for key, (word, _condition) in queries.SHOWS.items()],
        "newer": _query(show=show, q=search, after=page.newer) if page.newer else "",
        "older": _query(show=show, q=search, before=page.older) if page.older else "",
        "is_filtered": show != "all" or bool(search),
        "is_new": not page.rows and not Invoice.objects.filter(merchant=request.merchant).exists(),
        "may_write": may(request.membership, "write"),
    }
    return render(request, "invoicing/list.html", context)


def _key(request: MerchantRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _query(**values: str | int | None) -> str:
    """'?show=open&q=ana', without what is usual or empty."""
    given = {name: value for name, value in values.items() if value and (name, value) != ("show", "all")}
    return "?" + urlencode(given)
