"""The forms of a refund: what goes back, where it goes, and why it does not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import entry
from invoicing.forms.fields import OneLine
from invoicing.models import Invoice
from invoicing.money import NotAnAmount, ceil_ratio, parse_scaled, plain
from merchants.assets import Asset
from payments import shares
from payments.models import Refund
from payments.refunds import Terms
from payments.shares import CannotRefund, Key, Source

Basis = Refund.Basis
LONG = {"max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d.")}
PERCENT_PLACES = 4


def text_of(key: Key) -> str:
    """('transfer', 12) → 'transfer-12': the value of a payment's box."""
    return f"{key[0]}-{key[1]}"


def _percent(text: str | None) -> int | None:
    """'2.5' or '2.5 %' → 25000, in 0.0001 %; nothing is 0. None for what is no part of a hundred."""
    try:
        found = parse_scaled((text or "").strip().removesuffix("%").strip() or "0", PERCENT_PLACES)
    except NotAnAmount:
        return None
    return found if 0 <= found < shares.WHOLE_E4 else None


def _minor(text: str | None, currency: str) -> int:
    try:
        return entry.price(text or "0", currency)
    except NotAnAmount:
        return 0


class RefundForm(forms.Form):
    """What goes back, and on which payments. `sources` are those with something left, `tokens` what it may go out in.

    Once valid, `terms` is what was asked for. What was paid in one token goes back in it, whatever was chosen.
    """

    use_required_attribute = False

    form_key = forms.CharField(max_length=43, required=False, widget=forms.HiddenInput)
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)
    basis = forms.ChoiceField(
        label=_l("How much"),
        choices=Basis.choices,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _l("Choose one.")),
    )
    other = forms.CharField(max_length=60, required=False)
    keys = forms.MultipleChoiceField(
        label=_l("From which payments"),
        error_messages={"required": _l("Choose at least one."), "invalid_choice": _l("One of these is used up. Look again.")},
    )
    asset = forms.ChoiceField(label=_l("Goes back in"), error_messages=dict.fromkeys(("required", "invalid_choice"), _l("Choose one from the list.")))
    deduction = forms.CharField(label=_l("Keep back, %"), max_length=20, required=False)
    reason = OneLine(label=_l("Why"), max_length=300, required=False, error_messages=LONG)
    note = OneLine(label=_l("Private note"), max_length=1000, required=False, error_messages=LONG)

    def __init__(self, *args: Any, invoice: Invoice, sources: Iterable[Source], tokens: Iterable[Asset], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.invoice, self.sources, self.tokens = invoice, list(sources), list(tokens)
        self._choose("keys", [(text_of(source.key), "") for source in self.sources])
        self._choose("asset", [(token.id, token.label) for token in self.tokens])

    def _choose(self, name: str, choices: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = choices

    def clean_deduction(self) -> int:
        """In 0.0001 %."""
        found = _percent(self.cleaned_data["deduction"])
        if found is None:
            raise forms.ValidationError(_("Write a number from 0 to less than 100, like 2.5."))
        return found

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        data["other_minor"] = 0
        if data.get("basis") == Basis.OTHER:
            self._clean_other(data)
        return data

    def _clean_other(self, data: dict[str, Any]) -> None:
        text = data.get("other", "").strip()
        try:
            data["other_minor"] = entry.price(text, self.invoice.currency) if text else 0
        except NotAnAmount as reason:
            self.add_error("other", str(reason))
            return
        if data["other_minor"] <= 0:
            self.add_error("other", _("Write how much goes back."))

    @property
    def chosen(self) -> list[Source]:
        """The payments whose box is ticked, also before the form is right."""
        ticked = set(self["keys"].value() or [])
        return [source for source in self.sources if text_of(source.key) in ticked]

    @property
    def token(self) -> Asset | None:
        """What it goes out in when a rate decides, also before the form is right."""
        return next((token for token in self.tokens if token.id == self["asset"].value()), self.tokens[0] if self.tokens else None)

    @property
    def paid_token(self) -> Asset | None:
        """The one token that all chosen payments came in; None where there is no such, or none that can be sent now."""
        ids = {source.asset_id for source in self.chosen}
        return next((token for token in self.tokens if {token.id} == ids), None)

    @property
    def terms(self) -> Terms:
        data = self.cleaned_data
        return replace(self.terms_of(data["basis"]), reason=data["reason"], note=data["note"])

    def terms_of(self, basis: str) -> Terms:
        """What `basis` would ask for with the rest as it is typed, also before the form is right: what cannot be read is 0."""
        token = self.paid_token if basis == Basis.PAID else self.token
        if basis == Basis.PAID and token is None and self.chosen:
            raise CannotRefund(_("These did not come in one token that can be sent now. Choose payments that did, or another way."))
        if token is None:
            raise CannotRefund(_("There is no token to send it in. Connect a wallet first."))
        return Terms(
            basis=basis,
            asset=token,
            keys=frozenset(source.key for source in self.chosen),
            other_minor=_minor(self["other"].value(), self.invoice.currency) if basis == Basis.OTHER else 0,
            deduction_e4=_percent(self["deduction"].value()) or 0,
        )


def as_written(refund: Refund, currency: str) -> dict[str, Any]:
    """What the form of a refund that is to be changed starts with."""
    whole = ceil_ratio(refund.amount_minor * shares.WHOLE_E4, shares.WHOLE_E4 - refund.deduction_e4)  # the smallest that gives it
    return {
        "version": refund.version,
        "basis": refund.basis,
        "other": entry.price_text(whole, currency) if refund.basis == Basis.OTHER else "",
        "keys": [text_of(shares.key_of(share)) for share in refund.shares.all()],  # type: ignore[attr-defined]
        "asset": refund.asset_id,
        "deduction": plain(refund.deduction_e4, PERCENT_PLACES).rstrip("0").rstrip(".") if refund.deduction_e4 else "",
        "reason": refund.reason,
        "note": refund.note,
    }


def blank(invoice: Invoice, sources: Iterable[Source], *, form_key: str, asked: str) -> dict[str, Any]:
    """What the form starts with: `asked`, where that is a basis, else the surplus if there is one, else what was paid."""
    found = list(sources)
    tokens = {source.asset_id for source in found}
    usual = Basis.SURPLUS if invoice.over_minor else Basis.PAID if len(tokens) == 1 and tokens != {""} else Basis.TODAY
    return {
        "form_key": form_key,
        "basis": asked if asked in Basis.values else usual,
        "keys": [text_of(source.key) for source in found],
        "deduction": "",
    }


class WhyForm(forms.Form):
    """Why a refund is not paid: the payer reads it."""

    use_required_attribute = False
    why = OneLine(label=_l("Reason"), max_length=300, error_messages={"required": _l("Write why; the payer reads it."), **LONG})

    def clean_why(self) -> str:
        why: str = self.cleaned_data["why"]
        if not why:
            raise forms.ValidationError(_("Write why; the payer reads it."))
        return why


class AddressForm(forms.Form):
    """Where it goes, as the payer told a member."""

    use_required_attribute = False
    address = forms.CharField(
        label=_l("Address"),
        max_length=500,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "none"}),
        error_messages={"required": _l("Write the address."), "max_length": _l("This is too long for an address.")},
    )
