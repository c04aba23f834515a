"""What mails say, word for word."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import transaction

from invoicing import facts, lifecycle
from invoicing.models import Attachment, Invoice
from merchants.events import record
from merchants.models import Event, Merchant, User
from notifications import courier, fanout, outbox
from notifications.mail import emails, unsubscribing
from notifications.models import Delivery
from notifications.plans import TEMPLATES
from notifications.transports import Withheld
from tests.factories import NOW, make_draft, publish
from tests.notifications.conftest import take

pytestmark = pytest.mark.django_db
PAGE = "http://testserver/i/7Qm2xVb9tKc4/"


def letter(kind: str, now: Any = NOW) -> emails.Letter:
    fanout.run(NOW)
    return emails.write(Delivery.objects.get(template=kind), now=now)


def happen(invoice: Invoice, kind: str, **more: Any) -> None:
    with transaction.atomic():
        record(kind, merchant=invoice.merchant, subject=invoice, now=NOW, facts={"invoice": facts.of_invoice(invoice), **more})


def words(html: str) -> str:
    """The visible text of an HTML mail, in one line."""
    visible = re.sub(r"<(style|title)\b.*?</\1>", " ", html, flags=re.S)
    text = re.sub(r"<[^>]+>", " ", visible).replace("&amp;", "&").replace("&nbsp;", "\N{NO-BREAK SPACE}")
    return re.sub(r"[ \n]+", " ", text).strip()


def links(html: str) -> list[str]:
    """Without those of the foot, to the page for lost links and the one that switches a notice off."""
    return [url for url in re.findall(r'href="([^"]+)"', html) if not re.search(r"/(?:lost|unsubscribe/[^/]+)/$", url)]


def test_every_planned_mail_has_its_function_and_its_three_files() -> None:
    folder = Path(settings.BASE_DIR) / "templates" / "emails"

    assert set(emails.KINDS) == set(TEMPLATES)
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(TEMPLATES)
    for kind in TEMPLATES:
        assert {"subject.txt", "body.txt", "body.html"} <= {path.name for path in (folder / kind).iterdir()}


def test_the_issued_mail_in_text(invoice: Invoice) -> None:
    found = letter("issued")

    assert found.subject == "Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR"
    assert (
        found.text
        == f"""\
Hello Ana Duarte,

here is your invoice for Brand identity, phase 2.

Amount due: 4,280.40 EUR
by Tuesday 1 December 2026, 10:00, Lisbon time

Pay Now: {PAGE}pay/
The invoice: {PAGE}

Logo and wordmark: 1,800.00
Colour and type system: 1,125.00
6 × Stationery: 555.00
VAT 23\N{NO-BREAK SPACE}%: 800.40
Total: 4,280.40 EUR

You can pay with USDT, ETH or BTC.

--
Questions? Just answer this email, or write to studio@harbourpine.example.
Harbour & Pine, Rua do Cais 14, 1200-109 Lisboa
Lost a link to an invoice? http://testserver/lost/
This is a test. No real money moves.
"""
    )


def test_the_issued_mail_in_html(invoice: Invoice) -> None:
    html = letter("issued").html

    assert links(html) == [f"{PAGE}pay/", PAGE]
    assert words(html) == (
        "4,280.40 EUR for Brand identity, phase 2, by Tuesday 1 December 2026, 10:00, Lisbon time"
        " HP Harbour & Pine Invoice INV-000001 This is a test. No real money moves."
        " Hello Ana Duarte, here is your invoice for Brand identity, phase 2 ."
        " Amount due 4,280.40 EUR by Tuesday 1 December 2026, 10:00, Lisbon time Pay Now"
        f" Or open this link: {PAGE}"
        " Logo and wordmark 1,800.00 Colour and type system 1,125.00 6 × Stationery 555.00 VAT 23\N{NO-BREAK SPACE}% 800.40 Total, EUR 4,280.40"
        " You can pay with USDT, ETH or BTC."
        " Questions? Just answer this email, or write to studio@harbourpine.example. Harbour & Pine, Rua do Cais 14, 1200-109 Lisboa"
        " Lost a link to an invoice?"
    )


def test_the_styles_are_inlined_in_the_merchants_colour_and_the_dark_block_is_kept(invoice: Invoice) -> None:
    html = letter("issued").html

    assert re.search(r'class="button-cell fill"[^>]*style="[^"]*background-color: #0B5563;color: #FFFFFF', html)
    assert html.count("@media (prefers-color-scheme: dark)") == 2
    assert ".fill { background-color: #147789 !important" in html
    assert 'width="600"' in html


def test_a_light_brand_colour_gets_dark_words_on_its_button(merchant: Merchant) -> None:
    merchant.brand_color = "#FFE680"
    merchant.save()
    publish(make_draft(merchant))

    assert re.search(r'class="button-link"[^>]*style="[^"]*color: #131A2C', letter("issued").html)


def test_the_mail_names_what_is_attached_and_describes_what_it_is_for(merchant: Merchant) -> None:
    draft = make_draft(merchant, description="Agreed on 3 November.\nSecond line.", public_id="7Qm2xVb9tKc4")
    for name in ("statement-of-work.pdf", "mood & board.png"):
        Attachment.objects.create(
            merchant=merchant, invoice=draft, name=name, size=1, content_type="x", sha256="0", file=name, created_at=NOW, public_id=name[:4]
        )
    publish(draft)
    found = letter("issued")

    assert "Agreed on 3 November.\nSecond line.\n" in found.text
    assert f"Attached to the invoice:\nstatement-of-work.pdf: {PAGE}files/stat/\nmood & board.png: {PAGE}files/mood/\n" in found.text
    assert "Attached to the invoice: statement-of-work.pdf , mood & board.png" in words(found.html)
    assert "Agreed on 3 November.<br>Second line." in found.html


def test_a_long_invoice_shows_twelve_items_and_counts_the_rest(merchant: Merchant) -> None:
    publish(make_draft(merchant, [(f"Item {number}", "1", "1.00") for number in range(1, 16)]))
    found = letter("issued")

    assert "Item 12: 1.00\nand 3 more items, on the invoice\nTotal: 15.00 EUR" in found.text
    assert "Item 13" not in found.text


def test_prices_with_tax_inside_say_so(merchant: Merchant) -> None:
    publish(make_draft(merchant, [("Lamp", "1", "123.00", "23")], prices_include_tax=True))

    assert "Lamp: 123.00\nof which VAT 23\N{NO-BREAK SPACE}%: 23.00\nTotal: 123.00 EUR" in letter("issued").text


def test_the_receipt_to_the_payer(invoice: Invoice) -> None:
    take(invoice, 428040)
    found = letter("receipt")

    assert found.subject == "Paid, thank you: INV-000001"
    assert found.text.startswith(f"""\
Hello Ana Duarte,

invoice INV-000001 for Brand identity, phase 2 is paid. Thank you.

Paid: 4,280.40 EUR
on Tuesday 17 November 2026, 10:00, Lisbon time

The receipt: {PAGE}
As PDF: {PAGE}receipt.pdf

4,648.51 USDT on Sandbox, transaction 0f9a00…1b2c: 4,280.40 EUR

--
""")
    assert links(found.html) == [PAGE, f"{PAGE}receipt.pdf"]
    assert "4,648.51 USDT on Sandbox transaction 0f9a00…1b2c 4,280.40 Paid, EUR 4,280.40" in words(found.html)


def test_the_paid_notice_to_the_merchant(invoice: Invoice) -> None:
    take(invoice, 428040)
    found = letter("paid")
    page = f"http://testserver/m/harbour-pine/invoices/{invoice.pk}/"

    assert found.subject == "Ana Duarte paid 4,280.40 EUR (INV-000001)"
    assert (
        found.text
        == f"""\
Ana Duarte has paid invoice INV-000001 for Brand identity, phase 2. The payment is final.

Received: 4,280.40 EUR
on Tuesday 17 November 2026, 10:00, Lisbon time

Check Details: {page}

4,648.51 USDT on Sandbox, transaction 0f9a00…1b2c: 4,280.40 EUR

--
Quittance sends this to the business email of Harbour & Pine.
Switch these notices off: {unsubscribing.link(invoice.merchant_id, "paid")}
This is a test. No real money moves.
"""
    )
    assert links(found.html) == [page, page]
    assert "Check Details" in words(found.html)
    assert PAGE not in found.html + found.text  # the payer's link opens the payer's pages; it is not the merchant's


def test_a_part_payment_says_what_is_still_due(invoice: Invoice) -> None:
    take(invoice, 150000, units=1_629_000_000)
    happen(invoice, "payment.part_received")
    found = letter("part_received")

    assert found.subject == "1,500.00 EUR received, 2,780.40 EUR still due: INV-000001"
    assert "Still due: 2,780.40 EUR\nby Tuesday 1 December 2026, 10:00, Lisbon time\n" in found.text
    assert f"Pay the rest: {PAGE}pay/\n" in found.text
    assert links(found.html) == [f"{PAGE}pay/", PAGE]


def test_a_resent_invoice_asks_for_what_is_still_due(invoice: Invoice) -> None:
    take(invoice, 150000)

    assert letter("issued").subject == "Invoice INV-000001 from Harbour & Pine: 2,780.40 EUR"


def test_an_overpayment_tells_the_merchant_how_much(invoice: Invoice) -> None:
    take(invoice, 430040, over=True)
    happen(invoice, "payment.overpaid")
    found = letter("overpaid")

    assert found.subject == "20.00 EUR more than asked for: INV-000001"
    assert "Write to Ana Duarte: ana@duarte.example\n" in found.text
    page = f"http://testserver/m/harbour-pine/invoices/{invoice.pk}/"
    assert f"Refund the surplus: {page}refunds/create/?basis=surplus\nCheck Details: {page}\n" in found.text
    assert links(found.html)[:2] == [f"{page}refunds/create/?basis=surplus", page]


def test_an_overpayment_that_is_on_its_way_back_is_not_told_any_more(invoice: Invoice) -> None:
    take(invoice, 430040, over=True)
    happen(invoice, "payment.overpaid")
    Invoice.objects.filter(pk=invoice.pk).update(returning_minor=2000)
    fanout.run(NOW)

    with pytest.raises(Withheld, match="on its way back"):
        emails.write(Delivery.objects.get(template="overpaid"), now=NOW)


def test_the_receipt_of_an_overpaid_invoice_says_that_the_rest_can_come_back(invoice: Invoice) -> None:
    take(invoice, 430040, over=True)
    said = "That is 20.00 EUR more than was asked for. Harbour & Pine can send it back to you: answer this email."

    assert f"\non Tuesday 17 November 2026, 10:00, Lisbon time\n{said}\n" in letter("receipt").text
    assert said in words(letter("receipt").html)
    Invoice.objects.filter(pk=invoice.pk).update(returning_minor=2000)
    assert said not in letter("receipt").text


LATE = {"txid": "0x9b", "amount": "50.00", "symbol": "USDT", "network_name": "Sandbox", "late": True, "held": False, "credit": "46.04"}


@pytest.mark.parametrize(
    ("told", "subject", "sentence"),
    [
        ({}, "A payment of INV-000001 came late", "It came after the rate lock had ended, and counts as 46.04 EUR."),
        ({"held": True}, "Decide on a payment of INV-000001", "It came after the rate lock had ended, so it counts for nothing until you decide."),
        (
            {"held": True, "late": False},
            "Decide on a payment of INV-000001",
            "Nobody had asked for this token, or there was no price when it came, so it counts for nothing until you decide.",
        ),
    ],
)
def test_a_late_payment_tells_the_merchant_what_it_counts_for(invoice: Invoice, told: dict[str, Any], subject: str, sentence: str) -> None:
    happen(invoice, "payment.late", transfer=LATE | told)
    found = letter("late")

    assert found.subject == subject
    assert "50.00 USDT arrived on Sandbox for invoice INV-000001, Brand identity, phase 2.\n" in found.text
    assert sentence in found.text
    assert sentence in found.html


def test_a_payment_taken_back_tells_the_merchant_that_the_invoice_is_open_again(invoice: Invoice) -> None:
    happen(invoice, "invoice.reopened")
    found = letter("reopened")

    assert found.subject == "The network took back a payment of INV-000001"
    assert "was paid and is open again" in found.text


def test_a_cancelled_invoice_tells_the_payer_that_nothing_is_to_be_paid(invoice: Invoice, owner: User) -> None:
    lifecycle.void(invoice, by=owner, reason="Wrong address.", now=NOW)
    found = letter("cancelled")

    assert found.subject == "Cancelled: invoice INV-000001 from Harbour & Pine"
    assert found.text.startswith(
        "Hello Ana Duarte,\n\nHarbour & Pine has cancelled invoice INV-000001 for Brand identity, phase 2."
        " Nothing is to be paid on it.\n\nReason: Wrong address.\n\n"
    )
    assert links(found.html) == [PAGE]


def test_a_missed_invoice_tells_the_merchant_why(merchant: Merchant) -> None:
    draft = publish(make_draft(merchant, issue_at=NOW + timedelta(days=1)))
    lifecycle.issue_due(draft.pk, now=NOW + timedelta(days=15))
    found = letter("missed")

    assert found.subject == "Not sent: Brand identity, phase 2, for Ana Duarte"
    assert found.text.startswith(f"""\
The invoice to Ana Duarte for Brand identity, phase 2 was not sent.
Its due time, Tuesday 1 December 2026, 10:00, Lisbon time, had passed before it could be sent. An invoice is never sent late without your word.

Planned for: Wednesday 18 November 2026, 10:00, Lisbon time
Total: 1,800.00 EUR

Give it new times: http://testserver/m/harbour-pine/invoices/{draft.pk}/
""")


def test_past_the_due_time_the_issued_mail_is_held_and_can_be_sent_anyway(issued_mail: Delivery, owner: User, mailoutbox: list[Any]) -> None:
    late = NOW + timedelta(days=14)
    courier.round_of("email", now=late)
    held = Delivery.objects.get(pk=issued_mail.pk)

    assert (held.status, held.reason, mailoutbox) == ("cancelled", "The due time passed before this could be sent.", [])
    event = Event.objects.get(kind="invoice.mail_held")
    assert (event.subject_id, event.facts["delivery"]) == (held.invoice_id, held.pk)

    outbox.send_again(held, by=owner, now=late, force=True)
    courier.round_of("email", now=late)
    assert [message.subject for message in mailoutbox] == ["Invoice INV-000001 from Harbour & Pine: 4,280.40 EUR"]


def test_one_second_before_the_due_time_it_still_leaves(issued_mail: Delivery, mailoutbox: list[Any]) -> None:
    courier.round_of("email", now=NOW + timedelta(days=14, seconds=-1))

    assert len(mailoutbox) == 1


def test_what_was_cancelled_or_paid_meanwhile_is_not_asked_for(issued_mail: Delivery, owner: User, mailoutbox: list[Any]) -> None:
    lifecycle.void(issued_mail.invoice, by=owner, reason="", now=NOW)
    courier.round_of("email", now=NOW)

    assert mailoutbox == []
    assert Delivery.objects.get(pk=issued_mail.pk).reason == "The invoice was void by the time this could be sent."
    assert not Event.objects.filter(kind="invoice.mail_held").exists()


def test_a_receipt_is_withheld_when_the_money_was_taken_back(invoice: Invoice) -> None:
    take(invoice, 428040)
    fanout.run(NOW)
    Invoice.objects.filter(pk=invoice.pk).update(status="open", credited_minor=0)

    for kind in ("receipt", "paid"):
        with pytest.raises(Withheld, match=r"The invoice was open by the time this could be sent\."):
            emails.write(Delivery.objects.get(template=kind), now=NOW)


def test_nobody_is_asked_for_what_is_confirming(issued_mail: Delivery) -> None:
    Invoice.objects.filter(pk=issued_mail.invoice_id).update(pending_minor=428040)

    with pytest.raises(Withheld, match="is confirming"):
        emails.write(issued_mail, now=NOW)


def test_markup_in_names_stays_text(merchant: Merchant) -> None:
    publish(make_draft(merchant, [("<script>alert(1)</script>", "1", "5.00")], title="<b>Bold</b>", payer_name='"><img src=x>'))
    found = letter("issued")

    assert "<script" not in found.html
    assert "<b>" not in found.html
    assert "<img" not in found.html
    assert "here is your invoice for <b>Bold</b>." in found.text


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("Brand\r\nBcc: victim@example.com", "Brand Bcc: victim@example.com"),
        ("a\x00b\tc\u2028d", "a b c d"),
        ("\u202eevil", "evil"),
        ("  two   spaces ", "two spaces"),
    ],
)
def test_a_header_is_one_line(written: str, line: str) -> None:
    assert emails.one_line(written) == line


def test_every_mail_speaks_calmly_and_in_the_frozen_words(invoice: Invoice) -> None:
    Merchant.objects.filter(pk=invoice.merchant_id).update(name="Renamed since", email="new@example.com", brand_color="#FF0000")
    found = letter("issued")

    assert "Renamed" not in found.html + found.text
    assert (found.sender_name, found.reply_to) == ("Harbour & Pine", "studio@harbourpine.example")
    assert "#FF0000" not in found.html
    assert not set("!") & set(words(found.html))
