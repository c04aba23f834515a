"""The forms on which an owner connects and names a wallet. What can spend is emptied before anything else sees it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from merchants.forms.fields import LineField, in_our_words
from merchants.models import Merchant
from payments import keys, wallets
from payments.families import Family, Way
from payments.keys import PublicKey
from payments.rails import BadAddress

CHECKED = 3  # addresses that a merchant compares before a key is saved
KEY_MOST = 400
TYPED_MOST = 2000  # looked at, and shown again, of what is far too long


class NoSecrets(forms.Form):
    """A form in which a private key never stays: the field it was typed into is emptied, and says why."""

    use_required_attribute = False
    name = LineField(
        label=_l("Name"),
        max_length=wallets.NAME_MOST,
        required=False,
        help_text=_l("For your team: which wallet this is, such as Ledger, or Studio vault."),
    )

    def __init__(self, data: QueryDict | None = None, **kwargs: Any) -> None:
        self.spent: set[str] = set()
        super().__init__(None if data is None else self._emptied(data), **kwargs)
        in_our_words(self)

    def _emptied(self, data: QueryDict) -> QueryDict:
        kept = data.copy()
        for name in self.base_fields:
            text = kept.get(name, "")[:TYPED_MOST]
            kept[name] = text
            try:
                keys.refuse_private(text)
            except keys.PrivateKeyRefused:
                self.spent.add(name)
                kept[name] = ""
        return kept

    def full_clean(self) -> None:
        super().full_clean()
        for name in self.spent:
            self.errors.pop(name, None)
            self.add_error(name, str(keys.PrivateKeyRefused()))

    @property
    def typed(self) -> dict[str, str]:
        """What was typed and may wait over a sign-in."""
        return {name: self.data.get(name, "") for name in self.fields if name not in self.spent} if self.is_bound else {}


class NameForm(NoSecrets):
    pass


class FixedForm(NoSecrets):
    """One fixed address."""

    way = Way.FIXED
    field_order = ("address", "name")

    address = forms.CharField(
        label=_l("Your address"),
        max_length=120,
        error_messages={"required": _l("Paste the address at which you want to receive.")},
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "dir": "ltr"}),
    )
    is_mine = forms.BooleanField(required=False)

    def __init__(self, data: QueryDict | None = None, *, of: Family, merchant: Merchant, **kwargs: Any) -> None:
        self.of, self.merchant = of, merchant
        super().__init__(data, **kwargs)

    def clean_address(self) -> str:
        try:
            return self.of.normal(self.cleaned_data["address"])
        except BadAddress as error:
            raise forms.ValidationError(str(error)) from None

    @property
    def untold(self) -> str:
        """What must still be ticked on the page that checks it; empty when nothing is left."""
        return "" if self.data.get("is_mine") else _("Tick this when it is so. If it is not, go back and take another address.")


class KeyForm(NoSecrets):
    """An extended public key, the kind of its addresses, and where to begin."""

    way = Way.KEY
    field_order = ("key", "script", "starts_at", "name")

    key = forms.CharField(
        label=_l("Extended public key"),
        max_length=KEY_MOST,
        error_messages={"required": _l("Paste the extended public key of your wallet's account.")},
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off", "autocapitalize": "off", "spellcheck": "false", "dir": "ltr"}),
    )
    script = forms.ChoiceField(
        label=_l("Address type"), widget=forms.RadioSelect, error_messages={"required": _l("Choose the kind your wallet shows.")}
    )
    starts_at = forms.IntegerField(
        label=_l("Begin with address"),
        min_value=1,
        max_value=wallets.FURTHEST_START + 1,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
        help_text=_l("1, unless this account has received before: then the number of the first address that is still unused."),
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), _l("Write a whole number, 1 or more.")),
    )

    def __init__(self, data: QueryDict | None = None, *, of: Family, merchant: Merchant, **kwargs: Any) -> None:
        self.of, self.merchant = of, merchant
        self.public: PublicKey | None = None
        usual = {"starts_at": 1, "script": next(iter(of.scripts))}
        super().__init__(data, initial=usual | (kwargs.pop("initial", None) or {}), **kwargs)
        script = self.fields["script"]
        assert isinstance(script, forms.ChoiceField)  # noqa: S101 - for the type checker
        script.choices = list(of.scripts.items())

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if "key" in data and "script" in data:
            try:
                self.public = keys.parse(data["key"], family=self.of.key, script=data["script"])
            except keys.BadKey as error:
                self.add_error("key", str(error))
        return data

    @property
    def same(self) -> set[str]:
        """The places of the addresses that were ticked as the same."""
        assert isinstance(self.data, QueryDict)  # noqa: S101 - for the type checker
        return {place for place in self.data.getlist("same") if place in map(str, range(CHECKED))}

    @property
    def untold(self) -> str:
        if len(self.same) == CHECKED:
            return ""
        return _("Compare all three with your wallet, and tick each that is the same. If one differs, do not connect it.")


FORMS: dict[str, type[FixedForm] | type[KeyForm]] = {Way.FIXED: FixedForm, Way.KEY: KeyForm}
