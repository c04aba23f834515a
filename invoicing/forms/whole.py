"""The whole page on which an invoice or a schedule is written: head, lines, times and files, typed, judged and added up together."""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _

from invoicing import uploads
from invoicing.authoring import Content
from invoicing.forecast import Forecast, forecast
from invoicing.forms import head, lines, once, recurring, wrong
from invoicing.forms.files import Files
from invoicing.forms.sums import Sums
from invoicing.forms.wrong import Wrong
from invoicing.models import Attachment, Invoice, Schedule
from invoicing.planning import Plan
from invoicing.recurrence import Timing
from invoicing.totals import totals
from merchants import assets, languages
from merchants.models import Merchant

ONE_TIME, RECURRING = "one_time", "recurring"
_KEY = re.compile(r"[\w-]{43}\Z", re.ASCII)


class Entry:
    """One author's page. `data` is what a browser sent; without it the page shows `invoice` or `schedule`, or a new one of
    `kind`, filled from the invoice `source` if there is one.

    A new page has the fields of both kinds; only those of the chosen one are judged. `judged=False` shows what was typed
    again without a verdict (a row was added, a file removed).
    """

    def __init__(
        self,
        merchant: Merchant,
        *,
        now: datetime,
        invoice: Invoice | None = None,
        schedule: Schedule | None = None,
        source: Invoice | None = None,
        kind: str = ONE_TIME,
        data: QueryDict | None = None,
        publishing: bool = False,
        judged: bool = True,
    ) -> None:
        self.merchant, self.now, self.publishing = merchant, now, publishing
        self.invoice, self.schedule, self.source = invoice, schedule, source
        sent = data if data is not None else QueryDict()
        given, chosen, version = sent.get("form_key", ""), sent.get("kind", ""), sent.get("version", "")
        self.kind = ONE_TIME if invoice else RECURRING if schedule else chosen if chosen in (ONE_TIME, RECURRING) else kind
        self.form_key = given if _KEY.match(given) else secrets.token_urlsafe(32)
        self.version = int(version) if version.isascii() and version.isdigit() and len(version) < 9 else (self.saved.version if self.saved else 0)
        self.attachments = Files(merchant, form_key=self.form_key, owner=self.saved, removed=tuple(sent.getlist("removed")), source=source)
        self.is_bound = data is not None and judged
        self.head: Any = self._part(head.HeadForm, data, initial=self._head())
        self.once: Any = None if schedule else self._part(once.OnceForm, data, initial=self._once(), kind=ONE_TIME)
        self.rule: Any = None if invoice else self._part(recurring.RecurringForm, data, initial=self._rule(), kind=RECURRING, schedule=schedule)
        self._read_rows(data)

    def _part(self, form: type[Any], data: QueryDict | None, *, initial: dict[str, Any], kind: str = "", **more: Any) -> Any:
        """A part of the page, bound where it is judged. A part of the other kind is shown as it was typed."""
        is_chosen = kind in ("", self.kind)
        options = {"merchant": self.merchant, "now": self.now, "publishing": self.publishing and is_chosen, **more}
        if data is None or (not is_chosen and not any(name in data for name in form.base_fields)):
            return form(initial=initial, **options)
        bound = form(data, **options)
        return bound if self.is_bound and is_chosen else form(initial=bound.as_typed(), **options)

    def _head(self) -> dict[str, Any]:
        start = self.saved or self.source
        return head.written(start, self.merchant) if start else head.blank(self.merchant)

    def _once(self) -> dict[str, Any]:
        return once.written(self.invoice, self.merchant) if self.invoice else once.blank(self.merchant, self.now)

    def _rule(self) -> dict[str, Any]:
        if self.schedule:
            return recurring.written(self.schedule, self.merchant, self.now)
        return recurring.blank(self.merchant, self.now)

    def _read_rows(self, data: QueryDict | None) -> None:
        start = self.saved or self.source
        self.numbers: list[int] = []  # of the rows, as they were on the page that sent them
        if data is None:
            self.rows = lines.rows_of(start.lines.all(), start.currency) if start else []
        else:
            typed = lines.typed(data)
            self.rows, self.numbers = list(typed.values()), list(typed)
        self.rows = self.rows or [lines.empty_row()]
        self._rows()

    def _rows(self) -> None:
        self.lines = lines.bound(self.rows, currency=self.currency) if self.is_bound else lines.shown(self.rows, currency=self.currency)

    # --- what it is -----------------------------------------------------------------------------------------------
    @property
    def saved(self) -> Invoice | Schedule | None:
        """What the page was opened for; None for a new one."""
        return self.invoice or self.schedule

    @property
    def is_recurring(self) -> bool:
        return self.kind == RECURRING

    @property
    def when(self) -> Any:
        """The form of the chosen kind's times."""
        return self.rule if self.is_recurring else self.once

    @property
    def currency(self) -> str:
        """The chosen currency, or the merchant's while that is none we know: what prices are read in."""
        chosen = self.head["currency"].value()
        return chosen if chosen in dict(self.head.fields["currency"].choices) else self.merchant.currency

    # --- changing the page without saving it ------------------------------------------------------------------
    def add_row(self) -> None:
        self.rows.append(lines.empty_row(self.rows[-1].get("tax", "")))
        self._rows()

    def remove_row(self, number: str, data: QueryDict) -> None:
        """Take out the row that had `number` on the page."""
        kept = [row for index, row in lines.typed(data).items() if str(index) != number]
        self.rows = kept or [lines.empty_row()]
        self._rows()

    @property
    def files(self) -> list[Attachment]:
        return self.attachments.all

    # --- the verdict --------------------------------------------------------------------------------------------
    def is_valid(self) -> bool:
        """Judge everything, so that every refusal is shown at once."""
        verdicts = [self.head.is_valid(), self.when.is_valid(), self.lines.is_valid()]
        if len(self.files) > uploads.MAX_FILES:
            self.attachments.errors.append(_("An invoice holds 10 files. Remove some."))
        has_lines = verdicts[-1] and self._has_lines()
        return all(verdicts) and has_lines and not self.attachments.errors

    def _has_lines(self) -> bool:
        if self.publishing and not sum(counted or 0 for counted in self.sums().amounts):
            self.lines._non_form_errors.append(_("The total is zero. Add an item with a price."))  # type: ignore[attr-defined]
            return False
        return True

    def content(self) -> Content:
        """What was typed of an invoice, clean. Only after `is_valid`."""
        cleaned = self.once.cleaned_data
        return Content(**self._body(), issue_at=cleaned["issue_at"], due_at=cleaned["due_at"])

    def plan(self) -> Plan:
        """What was typed of a schedule, clean, but its timing. Only after `is_valid`."""
        cleaned = self.rule.cleaned_data
        return Plan(**self._body(), **{name: cleaned[name] for name in ("due_after_days", "ends_after", "ends_on")})

    def timing(self) -> Timing | None:
        """The timing of a schedule; None while a draft lacks it. Only after `is_valid`."""
        found: Timing | None = self.rule.cleaned_data["timing"]
        return found

    def _body(self) -> dict[str, Any]:
        cleaned = self.head.cleaned_data
        return {**cleaned, "asset_ids": tuple(cleaned["asset_ids"]), "lines": self.lines.written()}

    def wrong(self) -> list[Wrong]:
        """Everything that was refused, in the order of the page."""
        if not self.is_bound:
            return []
        order = list(self.head.fields)
        middle = order.index("currency") + 1
        found = wrong.in_fields(self.head, order[:middle]) + wrong.in_lines(self.lines.forms)
        found += [Wrong("items", _("Items"), str(words)) for words in self.lines.non_form_errors()]
        found += [Wrong("attachments", _("Attachments"), words) for words in self.attachments.errors]
        return found + wrong.in_fields(self.head, order[middle:]) + wrong.in_fields(self.when)

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
        issue_at = None if self.is_recurring else self.once.read().get("issue_at")
        return issue_at is not None and issue_at <= self.now

    # --- the money and the dates ----------------------------------------------------------------------------------
    def sums(self) -> Sums:
        """Add up what can be read, whatever else is wrong with the page."""
        judged = self.lines if self.is_bound else lines.bound(self.rows, currency=self.currency)
        judged.is_valid()
        result = totals((form.line for form in judged.forms if form.line), prices_include_tax=self.tax_inside)
        counted = iter(result.lines)
        amounts = tuple(next(counted).amount_minor if form.line else None for form in judged.forms)
        chosen = self._tokens()
        times = {} if self.is_recurring else self.once.read()
        issue_at = times.get("issue_at")
        return Sums(
            currency=self.currency,
            amounts=amounts,
            totals=result,
            gross_minor=sum(line.gross_minor for line in result.lines),
            recipient=str(self.head["payer_name"].value() or "").strip(),
            sent_at=issue_at if issue_at and issue_at > self.now else None,
            due_at=times.get("due_at"),
            tokens=len(chosen),
            networks=len({token.network.id for token in chosen}),
        )

    def dates(self) -> Forecast | None:
        """What a schedule makes as it is typed; None while its timing cannot be read."""
        read = self.rule.read() if self.is_recurring else {}
        if read.get("timing") is None:
            return None
        like = Schedule(
            merchant=self.merchant,
            title=str(self.head["title"].value() or ""),
            language=languages.known(str(self.head["language"].value() or (self.schedule or self.merchant).language)),
            due_after_days=read.get("due_after_days") or self.merchant.due_after_days,
            ends_after=read.get("ends_after"),
            ends_on=read.get("ends_on"),
        )
        return forecast(like, read["timing"], of=self.schedule, shown_next=self.rule.next_shown, now=self.now)

    @property
    def is_standing(self) -> bool:
        return self.is_recurring and bool(self.rule["standing"].value())

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
        accepted: list[assets.Asset] = self.head.tokens
        return accepted if self.head["all_assets"].value() else assets.among(accepted, self.head["asset_ids"].value() or [])
