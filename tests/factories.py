"""The people, businesses and invoices that tests are about. Money is computed by the product's own calculator."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from allauth.account.models import EmailAddress

from invoicing import lifecycle, money, schedules, search, totals
from invoicing.models import Invoice, LineItem, Schedule, ScheduleLine, Segment
from invoicing.recurrence import LAST, Rule
from merchants import assets
from merchants.models import Membership, Merchant, Role, User

NOW = datetime(2026, 11, 17, 10, 0, tzinfo=UTC)
PASSWORD = "tide-tables-1887"

# (description, quantity, price of one[, tax in percent])
Written = tuple[str, str, str] | tuple[str, str, str, str]


def make_user(email: str = "ines@harbourpine.example", name: str = "Inês Matos", password: str | None = None, **fields: Any) -> User:
    """A person who has confirmed their address. Without `password` they cannot sign in with one."""
    user = User.objects.create_user(email, password, name=name, **fields)
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return user


def make_merchant(owner: User | None = None, slug: str = "harbour-pine", **fields: Any) -> Merchant:
    """A test merchant that accepts every asset it may, with `owner` (or a new person) as its owner."""
    values = {
        "name": "Harbour & Pine",
        "email": "studio@harbourpine.example",
        "is_test": True,
        "time_zone": "Europe/Lisbon",
        "currency": "EUR",
    }
    merchant = Merchant(slug=slug, **{**values, **fields})
    if "accepted_assets" not in fields:
        merchant.accepted_assets = [found.id for found in assets.usable_by(merchant)]
    merchant.save()
    add_member(merchant, Role.OWNER, user=owner or make_user(email=f"owner@{slug}.example"))
    return merchant


def add_member(merchant: Merchant, role: str, email: str = "", *, user: User | None = None) -> User:
    """A member of `merchant`; a new person unless `user` is one."""
    member = user or make_user(email=email or f"{role}@{merchant.slug}.example", name=str(role).title(), password=PASSWORD)
    Membership.objects.create(user=member, merchant=merchant, role=role)
    return member


def make_draft(
    merchant: Merchant, lines: Iterable[Written] = (("Logo and wordmark", "1", "1800.00"),), now: datetime | None = None, **fields: Any
) -> Invoice:
    """A draft for Ana Duarte with computed totals, due 14 days after `now` (NOW)."""
    values = {
        "payer_name": "Ana Duarte",
        "payer_email": "ana@duarte.example",
        "title": "Brand identity, phase 2",
        "currency": merchant.currency,
        "due_at": (now or NOW) + timedelta(days=14),
    }
    invoice = Invoice(merchant=merchant, **{**values, **fields})
    written = [_line(line, invoice.currency) for line in lines]
    result = totals.totals(written, prices_include_tax=invoice.prices_include_tax)
    invoice.net_minor, invoice.discount_minor = result.net_minor, result.discount_minor
    invoice.tax_minor, invoice.total_minor = result.tax_minor, result.total_minor
    invoice.tax_lines = [{"name": tax.name, "rate_e4": tax.rate_e4, "base_minor": tax.base_minor, "tax_minor": tax.tax_minor} for tax in result.taxes]
    invoice.save()
    search.refresh(invoice)
    LineItem.objects.bulk_create(
        LineItem(
            invoice=invoice,
            position=position,
            description=line[0],
            quantity_e4=as_written.quantity_e4,
            unit_price_minor=as_written.unit_price_minor,
            tax_name=as_written.tax_name,
            tax_e4=as_written.tax_e4,
            taken_off_minor=counted.discount_minor,
            amount_minor=counted.amount_minor,
        )
        for position, (line, as_written, counted) in enumerate(zip(lines, written, result.lines, strict=True), start=1)
    )
    return invoice


def _line(line: Written, currency: str) -> totals.Line:
    tax = line[3] if len(line) > 3 else ""
    return totals.Line(
        quantity_e4=money.parse_scaled(line[1], 4),
        unit_price_minor=money.parse_minor(line[2], currency),
        tax_name="VAT" if tax else "",
        tax_e4=money.parse_scaled(tax, 4) if tax else 0,
    )


def publish(invoice: Invoice, now: datetime = NOW, by: User | None = None) -> Invoice:
    """Publish `invoice` through its door: issued at `now`, or scheduled when its issue time is ahead."""
    return lifecycle.publish(invoice, by=by, version=invoice.version, now=now)


def make_schedule(
    merchant: Merchant,
    rule: Rule | None = None,
    *,
    anchor: date = date(2026, 11, 30),
    at: time = time(9),
    lines: Iterable[Written] = (("Studio retainer", "1", "2400.00"),),
    **fields: Any,
) -> Schedule:
    """A draft for Marlow Yachts: by default on the last day of every month at 09:00 in the merchant's zone, standing, due in 14 days."""
    made = make_draft(merchant, lines)  # for its totals alone
    values = {
        "payer_name": "Marlow Yachts Ltd",
        "payer_email": "accounts@marlow.example",
        "title": "Retainer, {month}",
        "currency": made.currency,
        "time_zone": merchant.time_zone,
        **{name: getattr(made, name) for name in ("net_minor", "discount_minor", "tax_minor", "total_minor", "tax_lines")},
    }
    schedule = Schedule.objects.create(merchant=merchant, **{**values, **fields})
    for line in made.lines.all():
        ScheduleLine.objects.create(schedule=schedule, **line.copied())
    made.lines.all().delete()
    made.delete()
    rule = rule or Rule("months", day=LAST)
    shape = {"unit": rule.unit, "every": rule.every, "weekdays": sorted(rule.weekdays), "day": rule.day, "nth": rule.nth, "weekday": rule.weekday}
    Segment.objects.create(schedule=schedule, first_k=1, anchor=anchor, at=at, zone=merchant.time_zone, **shape)
    return schedule


def start(schedule: Schedule, *, now: datetime = NOW) -> Schedule:
    """Publish a schedule: it is active from `now` on."""
    return schedules.publish(schedule, by=None, version=schedule.version, now=now)
