"""Writing an invoice: what was typed, checked and cleaned, becomes a draft or changes one.

One transaction per save: the version is claimed, the payer's directory entry is kept up to date, lines and their
totals are stored, the form's uploads are taken over, and the event is written.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from invoicing import facts, lifecycle, search, uploads
from invoicing.models import Attachment, Invoice, Payer, Schedule, Status
from invoicing.models.invoice import EDITABLE
from invoicing.totals import Line, Totals, totals
from merchants.events import record
from merchants.models import Merchant, User

MAX_REMARK = 4000
Written = TypeVar("Written", Invoice, Schedule)


@dataclass(frozen=True)
class WrittenLine:
    description: str
    line: Line


@dataclass(frozen=True)
class Body:
    """What an author decides about an invoice and about a schedule alike. Money is in minor units of `currency`."""

    payer_name: str
    payer_email: str
    payer_address: str
    payer_tax_id: str
    payer_reference: str
    merchant_name: str
    merchant_email: str
    title: str
    description: str
    currency: str
    prices_include_tax: bool
    lines: tuple[WrittenLine, ...]
    all_assets: bool
    asset_ids: tuple[str, ...]
    notify_email: bool
    notify_webhook: bool
    remind: bool
    mail_copies: dict[str, list[str]] = field(kw_only=True, default_factory=dict)  # see `recipients`
    language: str = field(kw_only=True, default="")  # of its page, mails and PDF; empty: as it is, at first the merchant's

    def columns(self) -> dict[str, Any]:
        """The columns that hold this as it was written."""
        left = {"lines"} if self.language else {"lines", "language"}
        written = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in left}
        return written | {"asset_ids": list(self.asset_ids)}

    def totals(self) -> Totals:
        return totals((written.line for written in self.lines), prices_include_tax=self.prices_include_tax)


@dataclass(frozen=True)
class Content(Body):
    """Everything an author decides about an invoice. Times are aware."""

    issue_at: datetime | None
    due_at: datetime | None


def save_draft(
    invoice: Invoice | None,
    *,
    merchant: Merchant,
    by: User,
    version: int,
    cleaned: Content,
    form_key: str,
    removed_files: tuple[str, ...] = (),
    now: datetime,
) -> Invoice:
    """Save `cleaned` as a new draft (`invoice` None) or into a draft, scheduled or missed one.

    `form_key` names the form it was typed into: saved twice from the same form, it is one draft, and the later save
    wins. MovedOn when somebody else saved since `version`; Refused when it has been issued, or when it is scheduled
    and could not be sent like this. `removed_files` are public ids of attachments to take off.
    """
    with transaction.atomic():
        made = None if invoice else begin(Invoice, merchant, cleaned, by=by, form_key=form_key)
        held = made or (_claim(invoice, version=version, form_key=form_key, by=by, now=now) if invoice else _own(merchant, form_key))
        before = as_written(held, Content)
        _write(held, cleaned, form_key=form_key, now=now)
        moved = uploads.attach(held, form_key=form_key, removed=removed_files)
        if held.status == Status.SCHEDULED and (reasons := lifecycle.blockers(held, now)):
            raise lifecycle.Refused(" ".join(reasons))
        if made or moved or as_written(held, Content) != before:
            kind = "invoice.created" if made else "invoice.edited"
            record(kind, merchant=merchant, subject=held, now=now, by=by, facts={"invoice": facts.of_invoice(held)})
        else:  # nobody else's page is out of date
            held.version -= 1
            Invoice.objects.filter(pk=held.pk).update(version=held.version)
        return held


def save_apart(
    invoice: Invoice | None, *, merchant: Merchant, by: User, cleaned: Content, form_key: str, removed_files: tuple[str, ...] = (), now: datetime
) -> Invoice:
    """What was typed into the form of `invoice` (None: deleted meanwhile), as a new draft with its own copies of the files.

    Pressed twice it is one draft: its key is derived from the form's.
    """
    key = key_apart(form_key)
    if not Invoice.objects.filter(merchant=merchant, form_key=key).exists():
        uploads.pending(merchant, form_key).update(form_key=key)
        if invoice is not None:
            uploads.share(Attachment.objects.filter(invoice=invoice).exclude(public_id__in=removed_files), form_key=key, now=now)
    return save_draft(None, merchant=merchant, by=by, version=0, cleaned=cleaned, form_key=key, now=now)


def key_apart(form_key: str) -> str:
    """The key of the draft that the form `form_key` is saved as, when it cannot be saved where it came from."""
    return base64.urlsafe_b64encode(hashlib.sha256(f"apart:{form_key}".encode()).digest()).decode().rstrip("=")


def begin(kind: type[Written], merchant: Merchant, cleaned: Body, *, by: User, form_key: str) -> Written | None:
    """A new, empty draft of this form; None when the form has made one already."""
    draft = kind(
        merchant=merchant, created_by=by, time_zone=merchant.time_zone, language=merchant.language, form_key=form_key, currency=cleaned.currency
    )
    try:
        with transaction.atomic():
            draft.save()
    except IntegrityError:
        return None
    return draft


def _own(merchant: Merchant, form_key: str) -> Invoice:
    """The draft that this form has made, under its lock: Save was pressed twice, or again after Back."""
    made = Invoice.objects.get(merchant=merchant, form_key=form_key)
    return _claim(made, version=made.version, form_key=form_key)


def _claim(invoice: Invoice, *, version: int, form_key: str, by: User | None = None, now: datetime | None = None) -> Invoice:
    held = lifecycle.locked(invoice.pk)
    own = form_key != "" and held.form_key == form_key  # the last save came from this very form: nobody else's is lost
    return lifecycle.claim_edit(held, version=held.version if own else version, by=by, now=now)


def as_written(target: Invoice | Schedule, kind: type[Body]) -> tuple[Any, ...]:
    """What an edit can change, for comparing before with after: the columns that `kind` decides, and the lines."""
    columns = tuple(getattr(target, field.name) for field in fields(kind) if field.name != "lines")
    return *columns, *((line.description, line.as_written()) for line in target.lines.order_by("position"))


def _write(invoice: Invoice, cleaned: Content, *, form_key: str, now: datetime) -> None:
    at_once = invoice.status == Status.SCHEDULED and cleaned.issue_at is None  # of one that waits for its time
    write_body(invoice, cleaned, form_key=form_key, **({"issue_at": now} if at_once else {}))
    search.refresh(invoice)


def write_body(target: Invoice | Schedule, cleaned: Body, *, form_key: str, **more: Any) -> None:
    """Store `cleaned` and its totals in `target`, which is locked, and in its lines. `more` are columns that go before."""
    result = cleaned.totals()
    changes = cleaned.columns() | {
        "form_key": form_key,
        "payer": _payer(target.merchant, cleaned),
        "net_minor": result.net_minor,
        "discount_minor": result.discount_minor,
        "tax_minor": result.tax_minor,
        "total_minor": result.total_minor,
        "tax_lines": [{"name": tax.name, "rate_e4": tax.rate_e4, "base_minor": tax.base_minor, "tax_minor": tax.tax_minor} for tax in result.taxes],
    }
    changes |= more
    for column, value in changes.items():
        setattr(target, column, value)
    target.save(update_fields=list(changes))
    target.lines.all().delete()
    model: Any = target.lines.model
    model.objects.bulk_create(
        model(
            **{str(target._meta.model_name): target},
            position=position,
            description=written.description,
            quantity_e4=written.line.quantity_e4,
            unit_price_minor=written.line.unit_price_minor,
            discount_e4=written.line.discount_e4,
            discount_minor=written.line.discount_minor,
            tax_name=written.line.tax_name,
            tax_e4=written.line.tax_e4,
            taken_off_minor=counted.discount_minor,
            amount_minor=counted.amount_minor,
        )
        for position, (written, counted) in enumerate(zip(cleaned.lines, result.lines, strict=True), start=1)
    )


def _payer(merchant: Merchant, cleaned: Body) -> Payer | None:
    """The directory's entry for this payer, made or brought up to date; None while name or email is missing."""
    if not (cleaned.payer_name and cleaned.payer_email):
        return None
    typed: dict[str, Any] = {"address": cleaned.payer_address, "tax_id": cleaned.payer_tax_id, "mail_copies": cleaned.mail_copies}
    known = {name: value for name, value in typed.items() if value}
    own = {"language": cleaned.language if cleaned.language != merchant.language else ""}  # of one who is new: the next invoice starts with it
    payer, _made = Payer.objects.update_or_create(
        merchant=merchant, email=cleaned.payer_email, name=cleaned.payer_name, defaults=known, create_defaults=known | own
    )
    return payer


def set_remark(invoice: Invoice, *, text: str) -> None:
    """Keep the team's private note, at most MAX_REMARK long. It is on no document, so it may change whatever the status."""
    Invoice.objects.filter(pk=invoice.pk).update(remark=text.strip())


def delete(invoice: Invoice, *, by: User, now: datetime) -> None:
    """Delete a draft, scheduled or missed invoice with its files. Refused once it is issued: it can be voided then."""
    with transaction.atomic():
        held = lifecycle.locked(invoice.pk)
        if held.status not in EDITABLE:
            raise lifecycle.Refused(_("%(name)s has been issued; it can be voided, not deleted.") % {"name": held.name})
        record("invoice.deleted", merchant=held.merchant, subject=held, now=now, by=by, facts={"invoice": facts.of_invoice(held)})
        uploads.drop(Attachment.objects.filter(invoice=held))
        held.delete()
