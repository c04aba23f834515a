"""A payer's statement on paper: made when it is asked for, from what the invoices hold then; it is not kept."""

from __future__ import annotations

import base64
import hashlib
from datetime import date, datetime

from babel.dates import format_date
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _

from invoicing import money
from invoicing.models import Payer
from invoicing.pdf import press, sheet
from invoicing.snapshot import Party
from invoicing.statement import Statement
from merchants import moments
from merchants.models import Merchant


def render(payer: Payer, made: Statement, currency: str, *, since: date, until: date, now: datetime) -> bytes:
    """The PDF of `made` in the merchant's language; the days are shown in its zone. 300 lines take about 1.5 s."""
    merchant = payer.merchant
    with translation.override(merchant.language):
        days = period(since, until, merchant.language)
        page = _html(payer, made, currency, since=since, until=until, days=days, now=now)
        rules = "\n".join((*_frame(merchant, days), *columns(made, currency, merchant, since=since)))
    identifier = hashlib.sha256(f"statement/{payer.pk}/{page}".encode()).hexdigest()[:32].encode()
    return press.printed(page, sheet=rules, identifier=identifier)


def _html(payer: Payer, made: Statement, currency: str, *, since: date, until: date, days: str, now: datetime) -> str:
    merchant = payer.merchant
    context = {
        "merchant": merchant,
        "sender": _sender(merchant),
        "recipient": Party(payer.name, payer.email, payer.address, payer.tax_id),
        "made": made,
        "lines": [(moments.day(line.move.at, merchant.time_zone, merchant.language), line) for line in made.lines],
        "currency": currency,
        "days": days,
        "first": _day(since, merchant.language),
        "last": _day(until, merchant.language),
        "made_on": moments.day(now, merchant.time_zone, merchant.language),
        "made_at": now,
        "zone": moments.zone_words(merchant.time_zone),
        "language": merchant.language,
        "direction": "rtl" if translation.get_language_bidi() else "ltr",
        "logo": f"data:image/png;base64,{base64.b64encode(bytes(merchant.logo.png)).decode()}" if merchant.logo else "",
    }
    return render_to_string("invoicing/print/statement.html", context)


def _sender(merchant: Merchant) -> Party:
    return Party(merchant.name, merchant.email, merchant.address, merchant.tax_id)


def _day(day: date, language: str) -> str:
    return format_date(day, "d MMMM y" if language == "en" else "long", locale=money.locale_of(language))


def period(since: date, until: date, language: str) -> str:
    """'1 Jan 2026 – 30 Jun 2026'."""
    return " – ".join(day_words(day, language) for day in (since, until))


def day_words(day: date, language: str) -> str:
    """'1 Jan 2026'."""
    return format_date(day, "d MMM y" if language == "en" else "medium", locale=money.locale_of(language))


def _frame(merchant: Merchant, days: str) -> tuple[str, ...]:
    title = _("Statement")
    return sheet.frame(_sender(merchant), f"{title} {days}", title, paper=merchant.paper, brand_color=merchant.brand_color, is_test=merchant.is_test)


def columns(made: Statement, currency: str, merchant: Merchant, *, since: date) -> list[str]:
    """Widths for the table such that no amount wraps or touches its neighbour; smaller type when they leave no room."""
    width = sheet.BODY_WIDTH["Letter" if merchant.paper == "Letter" else "A4"]

    def needed(minors: list[int]) -> float:
        longest = max(len(money.format_minor(minor, currency, merchant.language)) for minor in minors)
        return max(width * 0.17, longest * sheet.PER_CHARACTER + sheet.PADDING)

    days = [_day(day, merchant.language) for day in (since, *(moments.local(line.move.at, merchant.time_zone).date() for line in made.lines))]
    balances = [made.opening_minor, made.closing_minor, *(line.balance_minor for line in made.lines)]
    needs = {
        "day": max(map(len, days)) * sheet.PER_CHARACTER + sheet.PADDING,
        "amount": needed([0, *(line.move.minor for line in made.lines)]),
        "balance": needed(balances),
    }
    scale = min(1.0, width / (sum(needs.values()) / (1 - sheet.DESCRIPTION_AT_LEAST)))
    rules = [f".column-{name} {{ width: {need * scale:.1f}pt; }}" for name, need in needs.items()]
    rules.append(".lines { margin-top: 11mm; }")
    rules.append(f".totals {{ width: {max(0.45 * width, needs['balance'] + 150):.1f}pt; }}")
    return rules + ([f".lines td.num {{ font-size: {9.5 * scale:.2f}pt; }}"] if scale < 1 else [])
