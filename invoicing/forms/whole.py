"""The whole page on which an invoice is written: head, lines and files, typed, judged and added up together."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from invoicing import uploads
from invoicing.authoring import Content
from invoicing.forms import head, lines
from invoicing.models import Attachment, Invoice
from invoicing.totals import Totals, totals
from merchants import assets
from merchants.models import Merchant

_KEY = re.compile(r"[\w-]{43}\Z", re.ASCII)


@dataclass(frozen=True)
class Sums:
    """What the page shows of the money, in minor units. A row that cannot be read counts for nothing and is None."""

    currency: str
    amounts: tuple[int | None, ...]
    totals: Totals
    gross_minor: int  # before discounts: the 'Subtotal' above them
    recipient: str
    sent_at: datetime | None  # None: at once
    due_at: datetime | None
    tokens: int
    networks: int


@dataclass(frozen=True)
class Wrong:
    """A refusal, for the list at the top of the page: where it is, what that is called, what it says."""

    anchor: str
    label: str
    words: str


class Entry:
    """One author's page. `data` is what a browser sent; without it the page shows `invoice`, or a new one.

    `judged=False` shows what was typed again without a verdict (a row was added, a file removed).
    """

    def __init__(
        self,
        merchant: Merchant,
        *,
        now: datetime,
        invoice: Invoice | None = None,
        data: QueryDict | None = None,
        publishing: bool = False,
        judged: bool = True,
    ) -> None:
        self.merchant, self.now, self.invoice, self.publishing = merchant, now, invoice, publishing
        sent = data if data is not None else QueryDict()
        given = sent.get("form_key", "")
        self.form_key = given if _KEY.match(given) else secrets.token_urlsafe(32)
        version = sent.get("version", "")
        self.version = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else (invoice.version if invoice else 0)
        self.removed = tuple(sent.getlist("removed"))[: uploads.MAX_FILES]
        self.file_errors: list[str] = []
        self._read(data, judged)

    def _read(self, data: QueryDict | None, judged: bool) -> None:
        options: dict[str, Any] = {"merchant": self.merchant, "now": self.now, "publishing": self.publishing}
        self.is_bound = data is not None and judged
        self.numbers: list[int] = []  # of the rows, as they were on the page that sent them
        if data is None:
            initial = head.written(self.invoice, self.merchant) if self.invoice else head.blank(self.merchant, self.now)
            self.rows = lines.rows_of(self.invoice.lines.all(), self.invoice.currency) if self.invoice else []
            self.head = head.InvoiceForm(initial=initial, **options)
        else:
            self.head = head.InvoiceForm(data, **options)
            typed = lines.typed(data)
            self.rows, self.numbers = list(typed.values()), list(typed)
            if not judged:
                self.head = head.InvoiceForm(initial=self.head.as_typed(), **options)
        self.rows = self.rows or [lines.empty_row()]
        self._rows()

    def _rows(self) -> None:
        self.lines = lines.bound(self.rows, currency=self.currency) if self.is_bound else lines.shown(self.rows, currency=self.currency)

    @property
    def currency(self) -> str:
        """The chosen currency, or the merchant's while that is none we know: what prices are read in."""
        chosen = self.head["currency"].value()
        return chosen if chosen in dict(self.head.fields["currency"].choices) else self.merchant.currency  # type: ignore[attr-defined]

    # --- changing the page without saving it ------------------------------------------------------------------
    def add_row(self) -> None:
        self.rows.append(lines.empty_row(self.rows[-1].get("tax", "")))
        self._rows()

    def remove_row(self, number: str, data: QueryDict) -> None:
        """Take out the row that had `number` on the page."""
        kept = [row for index, row in lines.typed(data).items() if str(index) != number]
        self.rows = kept or [lines.empty_row()]
        self._rows()

    def remove_file(self, public_id: str) -> None:
        """Drop a pending upload now; an attachment of a saved invoice only once the form is saved."""
        if not uploads.drop(uploads.pending(self.merchant, self.form_key).filter(public_id=public_id)):
            self.removed = (*self.removed, public_id)

    # --- files --------------------------------------------------------------------------------------------------
    @property
    def attached(self) -> list[Attachment]:
        """The saved invoice's own files that are to stay."""
        if self.invoice is None:
            return []
        return list(self.invoice.attachments.exclude(public_id__in=self.removed))

    @property
    def pending(self) -> list[Attachment]:
        return list(uploads.pending(self.merchant, self.form_key))

    @property
    def files(self) -> list[Attachment]:
        return [*self.attached, *self.pending]

    @property
    def room(self) -> int:
        """How many pending uploads this form may hold."""
        return uploads.MAX_FILES - len(self.attached)

    # --- the verdict --------------------------------------------------------------------------------------------
    def is_valid(self) -> bool:
        """Judge everything, so that every refusal is shown at once."""
        head_valid, lines_valid = self.head.is_valid(), self.lines.is_valid()
        if len(self.files) > uploads.MAX_FILES:
            self.file_errors.append(_("An invoice holds 10 files. Remove some."))
        lines_there = lines_valid and self._has_lines()
        return head_valid and lines_there and not self.file_errors

    def _has_lines(self) -> bool:
        if self.publishing and not sum(counted or 0 for counted in self.sums().amounts):
            self.lines._non_form_errors.append(_("The total is zero. Add an item with a price."))  # type: ignore[attr-defined]
            return False
        return True

    def content(self) -> Content:
        """What was typed, clean. Only after `is_valid`."""
        cleaned = self.head.cleaned_data
        names = ("payer_name", "payer_email", "payer_address", "payer_tax_id", "payer_reference", "merchant_name", "merchant_email")
        more = ("title", "description", "currency", "prices_include_tax", "all_assets", "issue_at", "due_at", "notify_email", "notify_webhook")
        return Content(**{name: cleaned[name] for name in (*names, *more)}, asset_ids=tuple(cleaned["asset_ids"]), lines=self.lines.written())

    def wrong(self) -> list[Wrong]:
        """Everything that was refused, in the order of the page."""
        if not self.is_bound:
            return []
        order = list(self.head.fields)
        first, last = order[: order.index("currency") + 1], order[order.index("currency") + 1 :]
        found = self._wrong_fields(first) + self._wrong_cells()
        found += [Wrong("items", _("Items"), str(words)) for words in self.lines.non_form_errors()]
        found += [Wrong("attachments", _("Attachments"), words) for words in self.file_errors]
        return found + self._wrong_fields(last)

    def _wrong_fields(self, names: list[str]) -> list[Wrong]:
        errors = self.head.errors
        return [
            Wrong(self.head[name].id_for_label or f"id_{name}", str(self.head[name].label), str(errors[name][0])) for name in names if name in errors
        ]

    def _wrong_cells(self) -> list[Wrong]:
        found = []
        for number, form in enumerate(self.lines.forms, start=1):
            for name, words in form.errors.items():
                label = _("Item %(n)d, %(cell)s") % {"n": number, "cell": str(form[name].label).lower()}
                found.append(Wrong(form[name].id_for_label, label, str(words[0])))
        return found

    # --- what the page asks ---------------------------------------------------------------------------------------
    @property
    def tax_inside(self) -> bool:
        return self.head["prices_include_tax"].value() in ("1", True)

    @property
    def chosen(self) -> list[str]:
        """The ids of the tokens that are ticked."""
        return [token.id for token in self._tokens()]

    @property
    def issue_has_passed(self) -> bool:
        return bool(self.head["issue_date"].value()) and self._at("issue") is not None and self._moment("issue") is None

    # --- the money ----------------------------------------------------------------------------------------------
    def sums(self) -> Sums:
        """Add up what can be read, whatever else is wrong with the page."""
        judged = self.lines if self.is_bound else lines.bound(self.rows, currency=self.currency)
        judged.is_valid()
        result = totals((form.line for form in judged.forms if form.line), prices_include_tax=self.tax_inside)
        counted = iter(result.lines)
        amounts = tuple(next(counted).amount_minor if form.line else None for form in judged.forms)
        chosen = self._tokens()
        return Sums(
            currency=self.currency,
            amounts=amounts,
            totals=result,
            gross_minor=sum(line.gross_minor for line in result.lines),
            recipient=str(self.head["payer_name"].value() or "").strip(),
            sent_at=self._moment("issue"),
            due_at=self._moment("due"),
            tokens=len(chosen),
            networks=len({token.network.id for token in chosen}),
        )

    def table(self) -> list[tuple[lines.LineForm, int | None]]:
        """The rows with what each comes to."""
        return list(zip(self.lines.forms, self.sums().amounts, strict=True))

    def numbered(self) -> list[tuple[int, int | None]]:
        """What each row comes to, by the number it has on the page that sent it."""
        return list(zip(self.numbers, self.sums().amounts, strict=False))

    def new_row(self) -> lines.LineForm:
        """An empty row for the page to copy; its number is put in there."""
        return lines.LineForm(initial=lines.empty_row(), prefix="lines-__n__", currency=self.currency)

    def _tokens(self) -> list[assets.Asset]:
        accepted = self.head.tokens
        return accepted if self.head["all_assets"].value() else assets.among(accepted, self.head["asset_ids"].value() or [])

    def _moment(self, field: str) -> datetime | None:
        """The send or due time as far as it can be read; a send time that has passed is 'at once'."""
        found = self._at(field)
        return None if field == "issue" and found and found <= self.now else found

    def _at(self, field: str) -> datetime | None:
        probe = self.head if self.head.is_bound else head.InvoiceForm(self._raw(), merchant=self.merchant, now=self.now)
        probe.is_valid()
        found: datetime | None = probe.cleaned_data.get(f"{field}_at")
        return found

    def _raw(self) -> dict[str, object]:
        return {name: self.head[name].value() for name in self.head.fields}
