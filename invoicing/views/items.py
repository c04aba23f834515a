"""Saved items: the list, its changes, and what the invoice form offers of them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from invoicing import alphabet, items
from invoicing.forms.item import ItemForm
from invoicing.models import Item
from invoicing.views.payers import READ_OR_POST, key, query, words
from merchants.access import MerchantRequest, may, needs


@needs("see")
@require_safe
def listed(request: MerchantRequest) -> HttpResponse:
    search = words(request)
    page = alphabet.page(items.find(request.merchant, search), "description", before=key(request, "before"), after=key(request, "after"))
    context = {
        "nav": "settings",
        "rows": page.rows,
        "search": search,
        "back": query(q=search, before=page.back) if page.back else "",
        "on": query(q=search, after=page.on) if page.on else "",
        "may_write": may(request.membership, "write"),
    }
    return render(request, "invoicing/items.html", context)


@needs("write")
@require_http_methods(READ_OR_POST)
def new(request: MerchantRequest) -> HttpResponse:
    return _saved(request, Item(merchant=request.merchant), ItemForm(_posted(request), merchant=request.merchant))


@needs("write")
@require_http_methods(READ_OR_POST)
def edit(request: MerchantRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(Item, merchant=request.merchant, pk=pk)
    return _saved(request, item, ItemForm(_posted(request), merchant=request.merchant, item=item))


def _posted(request: MerchantRequest) -> object:
    return request.POST if request.method == "POST" else None


def _saved(request: MerchantRequest, item: Item, form: ItemForm) -> HttpResponse:
    if form.is_bound and form.is_valid():
        try:
            items.save(item, values=form.values())
        except items.AlreadyThere as reason:
            form.add_error("description", str(reason))
        else:
            messages.success(request, _("Saved. It is offered as you write the next invoice."))
            return redirect("items", request.merchant.slug)
    context = {"nav": "settings", "form": form, "item": item if item.pk else None}
    return render(request, "invoicing/item_form.html", context, status=422 if form.is_bound else 200)


@needs("write")
@require_http_methods(READ_OR_POST)
def delete(request: MerchantRequest, pk: int) -> HttpResponse:
    item = get_object_or_404(Item, merchant=request.merchant, pk=pk)
    if request.method != "POST":
        return render(request, "invoicing/item_delete.html", {"nav": "settings", "item": item})
    item.delete()
    messages.success(request, _("Deleted: %(name)s.") % {"name": item.description})
    return redirect("items", request.merchant.slug)


@needs("write")
@require_safe
def suggest(request: MerchantRequest) -> HttpResponse:
    """`?q=logo&currency=EUR` → the items that are offered while a line's description is typed."""
    found = items.offers(request.merchant, words(request), words(request, "currency"))
    said = ngettext("%(n)d saved item", "%(n)d saved items", len(found)) % {"n": len(found)} if found else ""
    return JsonResponse({"said": said, "offers": [offered(item) for item in found]}, headers={"Cache-Control": "private, no-store"})


def offered(item: Item) -> dict[str, object]:
    """One item as the form takes it: what to show, and what to fill in."""
    cells = items.cells_of(item)
    note = " · ".join(filter(None, (f"{cells['unit_price']} {item.currency}", cells["tax"])))
    return {"label": item.description, "note": note, "fill": cells}
