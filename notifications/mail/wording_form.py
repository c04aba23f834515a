from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from merchants.forms.fields import LineField, in_our_words
from notifications.mail import wordings
from notifications.mail.wordings import Words


class WordingForm(forms.Form):
    """The merchant's own subject and opening of one kind of mail; empty fields leave the usual ones."""

    use_required_attribute = False

    subject = LineField(label=_("Subject"), max_length=200, required=False, widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}))
    message = forms.CharField(
        label=_("Message"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 7, "dir": "auto"}),
        help_text=_("In place of the greeting and the first sentence. The amount, the button and the rest follow as always."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        in_our_words(self)

    def clean_subject(self) -> str:
        return self._without_strangers("subject")

    def clean_message(self) -> str:
        return self._without_strangers("message")

    def _without_strangers(self, name: str) -> str:
        text: str = self.cleaned_data[name].replace("\r\n", "\n")
        if reason := wordings.objection(text):
            raise forms.ValidationError(reason)
        return text

    def words(self) -> Words:
        return Words(self.cleaned_data["subject"], self.cleaned_data["message"])
