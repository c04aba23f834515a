"""What was refused on a page, for the list at its top."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.forms import Form
from django.utils.translation import gettext as _

from invoicing.forms.lines import LineForm


@dataclass(frozen=True)
class Wrong:
    """A refusal: where it is, what that is called, what it says."""

    anchor: str
    label: str
    words: str


def in_fields(form: Form, names: Iterable[str] | None = None) -> list[Wrong]:
    """The refused fields of `form`, in its order; only those in `names`, where they are given."""
    errors = form.errors
    return [
        Wrong(form[name].id_for_label or f"id_{name}", str(form[name].label), str(errors[name][0]))
        for name in (form.fields if names is None else names)
        if name in errors
    ]


def in_lines(rows: Iterable[LineForm]) -> list[Wrong]:
    """The refused cells, row by row."""
    found = []
    for number, form in enumerate(rows, start=1):
        for name, words in form.errors.items():
            label = _("Item %(n)d, %(cell)s") % {"n": number, "cell": str(form[name].label).lower()}
            found.append(Wrong(form[name].id_for_label, label, str(words[0])))
    return found
