"""Who may do what, and whose page this is.

The merchant is in the path (`/m/<merchant>/…`). `MerchantFromPath` turns that part into `request.merchant` and
`request.membership` before the view runs, and lets in only a member whose role has the right that the view
names with `@needs`. A stranger, and a merchant that does not exist, are the same 404. A view under `/m/`
that names no right is a programming error, not an open door.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from merchants.models import Membership, Merchant, Role, User

VIEWER, MANAGER, OWNER = Role.VIEWER, Role.MANAGER, Role.OWNER

# right → the roles that have it (product.md, Who may do what)
RIGHTS: dict[str, frozenset[Role]] = {
    "see": frozenset({VIEWER, MANAGER, OWNER}),
    "write": frozenset({MANAGER, OWNER}),  # invoices, payers, remarks, resend
    "money": frozenset({MANAGER, OWNER}),  # record a payment, assign money, create a refund
    "profile": frozenset({MANAGER, OWNER}),  # business profile, branding, defaults
    "own": frozenset({OWNER}),  # wallets, endpoints and secrets, limits, team
}

USED_LAST = "merchant"  # in the session: the slug of the business whose page was opened last


class MerchantRequest(HttpRequest):
    """A request to a page under `/m/<merchant>/`, for type checkers."""

    user: User  # type: ignore[assignment]
    merchant: Merchant
    membership: Membership


def may(membership: Membership, right: str) -> bool:
    """Whether this member's role has `right`. KeyError for a right that does not exist."""
    return Role(membership.role) in RIGHTS[right]


def needs(right: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """Names the right a view under `/m/<merchant>/` needs."""
    if right not in RIGHTS:
        raise KeyError(right)

    def mark(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        view.needs = right  # type: ignore[attr-defined]
        return view

    return mark


class MerchantFromPath:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: Any, view: Callable[..., HttpResponse], args: Any, kwargs: dict[str, Any]) -> HttpResponse | None:
        if "merchant" not in kwargs:
            return None
        right = getattr(view, "needs", None)
        if right is None:
            raise ImproperlyConfigured(f"{view!r} is under /m/<merchant>/ and names no right with @needs.")
        slug = kwargs.pop("merchant")
        if not request.user.is_authenticated:
            back = request.get_full_path() if request.method in ("GET", "HEAD") else f"/m/{slug}/"  # a button cannot be pressed by a link
            return redirect_to_login(back)
        membership = Membership.objects.select_related("merchant").filter(user=request.user, merchant__slug=slug).first()
        if membership is None:
            raise Http404
        request.merchant, request.membership = membership.merchant, membership
        if not may(membership, right):
            told = {"role": membership.get_role_display(), "name": membership.merchant.name}
            raise PermissionDenied(_("Your role here is %(role)s; this needs more. Ask an owner of %(name)s.") % told)
        if request.method == "GET" and request.session.get(USED_LAST) != slug:
            request.session[USED_LAST] = slug
        return None
