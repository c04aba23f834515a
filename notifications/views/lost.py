"""'I lost my link': an address is entered, and the answer is the same whether anything is open for it or not."""

from __future__ import annotations

from allauth.core import ratelimit
from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from invoicing.views.public import for_payers
from merchants import clock
from merchants.forms.fields import NO_ADDRESS, MailField, in_our_words
from notifications.mail import lost as links


class LostForm(forms.Form):
    use_required_attribute = False
    email = MailField(
        label=_("Your email address"),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
        help_text=_("The one your invoices are sent to."),
        error_messages={"required": NO_ADDRESS, "invalid": NO_ADDRESS},
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        in_our_words(self)


@require_http_methods(["GET", "HEAD", "POST"])
@for_payers
def lost(request: HttpRequest) -> HttpResponse:
    """The form; once it is sent, `?sent` says what happens now."""
    if request.method != "POST":
        return _page(request, LostForm())
    form = LostForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    if not ratelimit.consume(request, action="lost"):
        form.add_error(None, _("That was too often. Try again in an hour."))
        return _page(request, form, status=429)
    email = form.cleaned_data["email"].lower()
    # Whose mailbox is filled by somebody else is told nothing, and who does it neither.
    if ratelimit.consume(request, action="lost_address", key=email):
        links.ask(email, now=clock.now())
    return redirect(reverse("lost") + "?sent")


def _page(request: HttpRequest, form: LostForm, *, status: int = 200) -> HttpResponse:
    return render(request, "notifications/lost.html", {"form": form, "is_sent": "sent" in request.GET}, status=status)
