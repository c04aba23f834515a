"""The lines of an invoice: one row of cells each, typed as text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from django import forms
from django.forms.formsets import BaseFormSet, formset_factory
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _l

from invoicing import entry
from invoicing.authoring import WrittenLine
from invoicing.forms.fields import OneLine
from invoicing.models.contents import Line as SavedLine
from invoicing.money import MAX_MINOR, NotAnAmount, format_minor
from invoicing.totals import QUANTITY_SCALE, Line, line_total

MOST = 500
_CELL = re.compile(r"lines-(\d{1,4})-(description|quantity|unit_price|discount|tax)\Z")
CELLS = ("description", "quantity", "unit_price", "discount", "tax")


def _cell(label: Any, most: int = 40, **attrs: Any) -> OneLine:
    made = OneLine(
        label=label,
        required=False,
        max_length=most,
        error_messages={"max_length": _l("Shorten this to %(limit_value)d characters; it has %(show_value)d.")},
    )
    made.widget.attrs |= {"autocomplete": "off", **attrs}
    return made


class LineForm(forms.Form):
    description = _cell(_l("Description"), 300)
    quantity = _cell(_l("Quantity"), inputmode="decimal")
    unit_price = _cell(_l("Unit price"), inputmode="decimal")
    discount = _cell(_l("Discount"), placeholder="–")
    tax = _cell(_l("Tax"), 60, placeholder="–")

    def __init__(self, *args: Any, currency: str, **kwargs: Any) -> None:
        kwargs["use_required_attribute"] = False
        super().__init__(*args, **kwargs)
        self.currency = currency
        self.line: Line | None = None  # what the cells say, once they are clean

    @property
    def is_blank(self) -> bool:
        """Nobody wrote anything here that costs something: a row to skip."""
        typed = {name: (self[name].value() or "").strip() for name in CELLS}
        return not (typed["description"] or typed["unit_price"] or typed["discount"] or typed["quantity"] not in ("", "1"))

    def _read(self, name: str, reader: Callable[[str], Any], fallback: Any) -> Any:
        if self.has_error(name):
            return fallback
        try:
            return reader(self.cleaned_data.get(name) or "")
        except NotAnAmount as error:
            self.add_error(name, str(error))
            return fallback

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if self.is_blank and not self.errors:
            return data
        if not data.get("description") and not self.has_error("description"):
            self.add_error("description", _("Say what this is for, or remove the row."))
        if not data.get("unit_price") and not self.has_error("unit_price"):
            self.add_error("unit_price", _("Say what one costs."))
        self._count(data)
        return data

    def _count(self, data: dict[str, Any]) -> None:
        quantity = self._read("quantity", lambda text: entry.quantity(text or "1"), None)
        price = self._read("unit_price", lambda text: entry.price(text, self.currency), None) if data.get("unit_price") else None
        rate, off = self._read("discount", lambda text: entry.discount(text, self.currency), (None, None))
        tax = self._read("tax", entry.tax, None)
        if quantity is None or price is None or rate is None or tax is None:
            return
        line = Line(quantity, price, rate, off, *tax)
        gross = line_total(line).gross_minor
        if gross > MAX_MINOR:
            self.add_error("unit_price", _("This line comes to more than an invoice can hold. Lower the price or the quantity."))
        elif off > gross:
            self.add_error(
                "discount", _("This is more than the line, %(gross)s. Write a smaller amount.") % {"gross": format_minor(gross, self.currency)}
            )
        else:
            self.line = line

    def written(self) -> WrittenLine | None:
        return WrittenLine(self.cleaned_data["description"], self.line) if self.line else None


class BaseLines(BaseFormSet):
    """The rows. A row that is missing in what was sent, or blank, is no line."""

    default_error_messages = {  # noqa: RUF012
        **BaseFormSet.default_error_messages,
        "too_many_forms": _l("An invoice holds %(num)d items. Put some of them together."),
    }

    def clean(self) -> None:
        if sum(line_total(form.line).amount_minor for form in self.forms if form.line) > MAX_MINOR:
            raise forms.ValidationError(_("The total is more than an invoice can hold."))

    def written(self) -> tuple[WrittenLine, ...]:
        return tuple(line for form in self.forms if (line := form.written()))


LineFormSet = formset_factory(LineForm, formset=BaseLines, extra=0, max_num=MOST, absolute_max=2 * MOST, validate_max=True)


def bound(rows: list[dict[str, str]], *, currency: str) -> BaseLines:
    """The rows as a formset that judges them."""
    data = {"lines-TOTAL_FORMS": str(len(rows)), "lines-INITIAL_FORMS": "0"}
    data |= {f"lines-{index}-{name}": row.get(name, "") for index, row in enumerate(rows) for name in CELLS}
    return cast(BaseLines, LineFormSet(data, prefix="lines", form_kwargs={"currency": currency}))


def shown(rows: list[dict[str, str]], *, currency: str) -> BaseLines:
    """The rows as a formset that only shows them."""
    return cast(BaseLines, LineFormSet(initial=rows, prefix="lines", form_kwargs={"currency": currency}))


def typed(data: Mapping[str, str]) -> dict[int, dict[str, str]]:
    """The rows in what a browser sent, by the number each had on the page; rows that were removed are gaps."""
    found: dict[int, dict[str, str]] = {}
    for key, value in data.items():
        if match := _CELL.match(key):
            found.setdefault(int(match[1]), dict.fromkeys(CELLS, ""))[match[2]] = value
    return dict(sorted(found.items()))


def rows_of(lines: Iterable[SavedLine], currency: str) -> list[dict[str, str]]:
    """Saved lines as an author would type them."""
    return [
        {
            "description": line.description,
            "quantity": entry.quantity_text(line.quantity_e4),
            "unit_price": entry.price_text(line.unit_price_minor, currency),
            "discount": entry.discount_text(line.discount_e4, line.discount_minor, currency),
            "tax": entry.tax_text(line.tax_name, line.tax_e4),
        }
        for line in lines
    ]


def empty_row(tax: str = "") -> dict[str, str]:
    return {"description": "", "quantity": entry.quantity_text(QUANTITY_SCALE), "unit_price": "", "discount": "", "tax": tax}
