"""The PDF of an invoice and its receipt: what stands on it, that it never changes, and what happens when it fails."""

from __future__ import annotations

import io
import re
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypdf
import pytest
import time_machine
from django.core.files.storage import default_storage
from fontTools.ttLib import TTFont

from invoicing import pdf, tasks
from invoicing.models import Invoice, Rendering, Status
from invoicing.pdf import paper, press, sheet, stored
from invoicing.templatetags.paper import direction
from merchants.models import Logo, Merchant
from payments.models import Transfer
from tests.factories import NOW, make_draft, make_merchant, publish

USDT = "sandbox:harbour/token:usdt"
BTC = "sandbox:harbour/slip44:0"
TXID = "0x9c41b07ae2d54f6c81375d0f92ab64c3e81d7fe07b"
PAID_AT = datetime(2026, 11, 17, 10, 32, 8, tzinfo=UTC)
SCRIPTS = "請求書 발급 ใบแจ้งหนี้ चालान فاتورة חשבונית Счёт Τιμολόγιο ₿ € ₮"


@pytest.fixture
def invoice(merchant: Merchant) -> Invoice:
    lines = [("Logo and wordmark", "1", "1800.00", "23"), ("Stationery, per piece", "6", "92.50", "23")]
    return publish(make_draft(merchant, lines))


def pay(invoice: Invoice, *, credit: int, units: int = 4_648_510_000, txid: str = TXID, written_off: int = 0, **fields: Any) -> Invoice:
    """`invoice` as it is once settlement has credited one final transfer and called it paid."""
    values = {"asset_id": USDT, "credit_rate": "0.92081", "status": "final", **fields}
    Transfer.objects.create(
        network="sandbox:harbour", txid=txid, place=0, invoice=invoice, amount_units=units, first_seen_at=PAID_AT,
        confirmations_needed=3, credit_minor=credit, final_at=PAID_AT, **values,
    )  # fmt: skip
    Invoice.objects.filter(pk=invoice.pk).update(status=Status.PAID, paid_at=PAID_AT, credited_minor=credit, written_off_minor=written_off)
    invoice.refresh_from_db()
    return invoice


def read(content: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(content))


def texts(content: bytes) -> list[str]:
    """The text of each page, with every run of white space as one space."""
    return [" ".join(page.extract_text().split()) for page in read(content).pages]


# --- what stands on it ------------------------------------------------------------------------------------------
def test_an_invoice_says_who_owes_what_to_whom_until_when_and_where_to_pay(invoice: Invoice):
    (text,) = texts(pdf.render(invoice, "invoice"))
    expected = [
        "Harbour & Pine", "studio@harbourpine.example", "Ana Duarte", "ana@duarte.example", "INV-000001", "17 November 2026",
        "1 December 2026, 10:00", "Lisbon time", "Brand identity, phase 2", "Logo and wordmark", "92.50", "555.00", "Subtotal 2,355.00",
        "VAT 23 % of 2,355.00 541.65", "Total 2,896.65 EUR", "Pay with USDT, ETH or BTC", f"http://testserver/i/{invoice.public_id}/",
        "INV-000001, page 1 of 1",
    ]  # fmt: skip
    assert [words for words in expected if words not in text.replace("\N{NO-BREAK SPACE}", " ")] == []


def test_the_qr_code_and_the_link_lead_to_the_invoice(invoice: Invoice):
    page = read(pdf.render(invoice, "invoice")).pages[0]
    links = [annotation.get_object()["/A"]["/URI"] for annotation in page["/Annots"]]
    assert links == [f"http://testserver/i/{invoice.public_id}/"]
    assert f"QR code of http://testserver/i/{invoice.public_id}/" in paper.html(invoice, "invoice")


@pytest.mark.parametrize(("chosen", "width", "height"), [("A4", 595.28, 841.89), ("Letter", 612, 792)])
def test_the_paper_is_the_merchants(merchant: Merchant, chosen: str, width: float, height: float):
    merchant.paper = chosen
    merchant.save()
    box = read(pdf.render(publish(make_draft(merchant)), "invoice")).pages[0].mediabox
    assert (round(float(box.width), 2), round(float(box.height), 2)) == (width, height)


def test_three_hundred_items_run_over_pages_with_header_and_footer_and_one_total(merchant: Merchant):
    invoice = publish(make_draft(merchant, [(f"Item number {place}", "1", "10.00", "23") for place in range(300)]))
    pages = texts(pdf.render(invoice, "invoice"))
    count = len(pages)
    assert 10 <= count <= 20
    assert [f"INV-000001, page {place} of {count}" in page for place, page in enumerate(pages, 1)] == [True] * count
    assert ["Invoice INV-000001" in page for page in pages] == [False] + [True] * (count - 1)
    assert ["Description Quantity Unit price Tax EUR" in page for page in pages] == ["Item number" in page for page in pages]
    assert sum(page.count("Total 3,690.00 EUR") for page in pages) == 1
    assert sum(len(re.findall(r"Item number \d+", page)) for page in pages) == 300


def test_the_totals_are_not_torn_apart_by_a_page_break(merchant: Merchant):
    for items in (14, 15, 16, 17, 18):  # about where the page ends
        invoice = publish(make_draft(merchant, [(f"Item {place}", "1", "10.00", "23") for place in range(items)]))
        pages = texts(pdf.render(invoice, "invoice"))
        (page,) = [page for page in pages if "Subtotal" in page]
        assert re.search(rf"Item {items - 1} 1 10\.00 23\s% 10\.00 Subtotal .* Total [\d.,]+ EUR", page)


def _cells_of_figures(invoice: Invoice) -> Iterator[Any]:
    laid_out = press.document(
        paper.html(invoice, "invoice"), sheet=sheet.sheet_of(paper.snapshot.document(invoice), "INV-1", "Invoice", list(invoice.lines.all()))
    )
    for page in laid_out.pages:
        for box in page._page_box.descendants():
            if type(box).__name__ == "TableCellBox" and "num" in (box.element.get("class") or "").split():
                yield box


@pytest.mark.parametrize(
    ("currency", "lines"),
    [
        ("EUR", [("Small", "1", "0.01", "23")]),
        ("EUR", [("Land, and everything on it and under it", "90000.9999", "99999999.99", "9.975"), ("x", "1", "0.01", "23")]),
        ("KWD", [("A refinery", "1", "999999999999.999")]),
        ("JPY", [("A railway", "1", "890000000000000", "12.3456")]),
    ],
)
def test_amounts_never_wrap_nor_touch_their_neighbours(merchant: Merchant, currency: str, lines: list[Any]):
    invoice = publish(make_draft(merchant, lines, currency=currency))
    for cell in _cells_of_figures(invoice):
        written = [box for box in cell.descendants() if type(box).__name__ == "LineBox"]
        assert len(written) == 1
        text = [box for box in written[0].descendants() if type(box).__name__ == "TextBox"]
        assert sum(box.width for box in text) <= cell.width


def test_prices_with_tax_inside_say_so_and_add_up(merchant: Merchant):
    invoice = publish(make_draft(merchant, [("Postcards", "3", "333", "10")], currency="JPY", prices_include_tax=True))
    (text,) = texts(pdf.render(invoice, "invoice"))
    assert "Prices include tax." in text
    assert "Total without tax 908 VAT 10\N{NO-BREAK SPACE}% of 908 91 Total 999 JPY" in text.replace(" %", "\N{NO-BREAK SPACE}%")


def test_without_discount_or_tax_there_are_no_columns_for_them(merchant: Merchant):
    (text,) = texts(pdf.render(publish(make_draft(merchant)), "invoice"))
    assert "Description Quantity Unit price EUR" in text


def test_a_test_merchants_paper_says_that_it_is_a_test(merchant: Merchant):
    assert "Test: sandbox tokens only, no real money" in texts(pdf.render(publish(make_draft(merchant)), "invoice"))[0]


def test_a_draft_can_be_looked_at_before_it_is_published(merchant: Merchant):
    (text,) = texts(pdf.render(make_draft(merchant), "invoice"))
    assert ("Draft, page 1 of 1" in text, "Total 1,800.00 EUR" in text) == (True, True)


# --- the receipt ------------------------------------------------------------------------------------------------
def test_a_receipt_says_what_was_paid_with_which_transaction(invoice: Invoice):
    (text,) = texts(pdf.render(pay(invoice, credit=289665), "receipt"))
    expected = [
        "Receipt",
        "INV-000001-R1",
        "Paid in full",
        "17 November 2026, 10:32",
        "4,648.51 USDT on Sandbox",
        "1 EUR = 1.0860 USDT",
        "Total 2,896.65 EUR",
    ]
    assert [words for words in expected if words not in text] == []
    assert TXID in text.replace(" ", "")
    assert "Pay with" not in text


def test_a_receipt_lists_only_transfers_that_count(invoice: Invoice):
    pay(invoice, credit=100000, units=50_000_000, txid="dropped-one", status="dropped")
    pay(invoice, credit=100000, units=60_000_000, txid="seen-one", status="seen")
    pay(invoice, credit=189665, units=70_000_000, txid="first-one")
    pay(invoice, credit=100000, units=1_500_000, txid="second-one", asset_id=BTC, credit_rate="61234.5")
    (text,) = texts(pdf.render(invoice, "receipt"))
    assert re.findall(r"\w+-one", text) == ["first-one", "second-one"]
    assert ("70.00 USDT on Sandbox" in text, "0.015 BTC on Sandbox" in text, "1 BTC = 61,234.5 EUR" in text) == (True, True, True)


def test_a_receipt_shows_what_the_tolerance_forgave(invoice: Invoice):
    (text,) = texts(pdf.render(pay(invoice, credit=289600, written_off=65), "receipt"))
    assert ("Written off 0.65 EUR" in text, "Paid in full" in text) == (True, False)


def test_a_receipt_shows_what_was_paid_too_much(invoice: Invoice):
    (text,) = texts(pdf.render(pay(invoice, credit=300000), "receipt"))
    assert "Paid more than asked 103.35 EUR" in text


@pytest.mark.parametrize(
    ("rate", "symbol", "words"),
    [
        ("0.92081", "USDC", "1 EUR = 1.0860 USDC"),
        ("1", "USDC", "1 EUR = 1.0000 USDC"),
        ("58214.20", "BTC", "1 BTC = 58,214.20 EUR"),
        ("58214", "BTC", "1 BTC = 58,214 EUR"),
        ("3000.123456", "ETH", "1 ETH = 3,000.123456 EUR"),
        ("", "BTC", ""),
    ],
)
def test_a_rate_is_written_the_way_round_that_reads_well(rate: str, symbol: str, words: str):
    assert paper.rate_words(rate, symbol, "EUR", "en") == words


# --- fonts ------------------------------------------------------------------------------------------------------
def notdef_count(content: bytes) -> int:
    """How many glyphs on the pages are the empty box: id 0, or beyond the glyphs of the font that is embedded.

    Read from the PDF itself: WeasyPrint gives a character that no font has an id above the font's own.
    """
    missing = 0
    for page in read(content).pages:
        sizes = {name: _glyphs_of(font.get_object()) for name, font in page["/Resources"]["/Font"].items()}
        font = ""
        for operands, operator in pypdf.generic.ContentStream(page.get_contents(), page.pdf).operations:
            if operator == b"Tf":
                font = operands[0]
            elif operator in (b"Tj", b"TJ"):
                for part in operands[0] if operator == b"TJ" else operands:
                    if isinstance(part, (bytes, str)):
                        codes = part.original_bytes if hasattr(part, "original_bytes") else bytes(part)
                        ids = [int.from_bytes(codes[place : place + 2]) for place in range(0, len(codes), 2)]
                        missing += sum(glyph == 0 or glyph >= sizes[font] for glyph in ids)
    return missing


def _glyphs_of(font: Any) -> int:
    descriptor = font["/DescendantFonts"][0].get_object()["/FontDescriptor"].get_object()
    embedded = descriptor["/FontFile2"] if "/FontFile2" in descriptor else descriptor["/FontFile3"]
    return TTFont(io.BytesIO(embedded.get_object().get_data()))["maxp"].numGlyphs


def test_no_script_of_the_world_comes_out_as_boxes(merchant: Merchant):
    merchant.name = "港と松 하버"
    merchant.footer = SCRIPTS
    merchant.save()
    invoice = publish(
        make_draft(merchant, [(SCRIPTS, "1", "1.00", "23")], title=SCRIPTS, description=SCRIPTS, payer_name=SCRIPTS, payer_address=SCRIPTS)
    )
    content = pdf.render(invoice, "invoice")
    assert notdef_count(content) == 0
    fonts = {
        font["/BaseFont"].partition("+")[2] for page in read(content).pages for font in (f.get_object() for f in page["/Resources"]["/Font"].values())
    }
    assert {name.partition("-Semi")[0].partition("-Medium")[0] for name in fonts} == {
        "Inter", "Noto-Sans-Arabic", "Noto-Sans-CJK-SC", "Noto-Sans-Devanagari", "Noto-Sans-Hebrew", "Noto-Sans-Thai",
    }  # fmt: skip


def test_the_search_for_boxes_finds_one(merchant: Merchant):
    invoice = publish(make_draft(merchant, title="No font has this: \U0010fffd", description="nor this: \U0010fffc\U000ffff0"))
    assert notdef_count(pdf.render(invoice, "invoice")) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [("Ana Duarte", "ltr"), ("شركة المثال", "rtl"), ("2026 – עיצוב", "rtl"), ("12.50", "ltr"), ("", "ltr"), ("請求書", "ltr"), ("(SRL) شركة", "ltr")],
)
def test_a_text_runs_the_way_its_first_letter_does(text: str, expected: str):
    assert direction(text) == expected


def test_arabic_stands_at_the_right_of_its_column_and_figures_stay_left_to_right(merchant: Merchant):
    page = paper.html(publish(make_draft(merchant, [("تصميم الشعار", "1", "1800.00")], payer_name="شركة المثال")), "invoice")
    assert '<td dir="rtl">تصميم الشعار</td>' in page
    assert '<p class="party-name" dir="rtl">شركة المثال</p>' in page
    assert '<td class="num" dir="ltr">1,800.00</td>' in page


# --- tagged -----------------------------------------------------------------------------------------------------
def _elements(node: Any) -> Iterator[Any]:
    node = node.get_object()
    for child in node if isinstance(node, list) else [node]:
        child = child.get_object()
        if isinstance(child, dict):
            if "/S" in child:
                yield child
            if "/K" in child:
                yield from _elements(child["/K"])


def test_the_pdf_is_tagged_for_screen_readers(invoice: Invoice):
    reader = read(pdf.render(invoice, "invoice"))
    catalogue = reader.trailer["/Root"]
    assert catalogue["/MarkInfo"]["/Marked"].value is True
    assert catalogue["/ViewerPreferences"]["/DisplayDocTitle"].value is True
    assert catalogue["/Lang"] == "en"
    assert reader.metadata is not None and reader.metadata.title == "Invoice INV-000001, Harbour & Pine"
    assert b'pdfuaid:part="1"' in catalogue["/Metadata"].get_object().get_data()
    elements = list(_elements(catalogue["/StructTreeRoot"]["/K"]))
    kinds = [element["/S"] for element in elements]
    assert {"/H1", "/H2", "/P", "/Table", "/TH", "/TD", "/Figure", "/Link"} <= set(kinds)
    assert [element.get("/Alt") for element in elements if element["/S"] == "/Figure"] == [f"QR code of http://testserver/i/{invoice.public_id}/"]


# --- always the same --------------------------------------------------------------------------------------------
def test_the_same_invoice_gives_the_same_bytes_an_hour_later(invoice: Invoice):
    first = pdf.render(invoice, "invoice")
    with time_machine.travel(NOW + timedelta(hours=1)):
        assert pdf.render(Invoice.objects.get(pk=invoice.pk), "invoice") == first


def test_what_is_renamed_after_issue_changes_nothing(merchant: Merchant, invoice: Invoice, settings: Any, tmp_path: Path):
    first = pdf.render(Invoice.objects.get(pk=invoice.pk), "invoice")
    merchant.name, merchant.email, merchant.address, merchant.tax_id = "Other & Sons", "other@example.com", "Elsewhere", "X 1"
    merchant.footer, merchant.paper, merchant.brand_color, merchant.time_zone = "New footer", "Letter", "#AA0000", "Asia/Tokyo"
    merchant.logo, merchant.is_test = Logo.keep(b"not even a picture"), False
    merchant.save()
    renamed = tmp_path / "networks.toml"
    renamed.write_text(Path(settings.NETWORKS_FILE).read_text().replace('"USDT"', '"TETHER"').replace('"Sandbox"', '"Playground"'))
    settings.NETWORKS_FILE = str(renamed)
    assert pdf.render(Invoice.objects.get(pk=invoice.pk), "invoice") == first


def test_a_receipt_reads_asset_names_from_the_invoice(invoice: Invoice, settings: Any, tmp_path: Path):
    pay(invoice, credit=289665)
    first = pdf.render(invoice, "receipt")
    empty = tmp_path / "networks.toml"
    empty.write_text('currencies = ["EUR"]\nnetwork = []\n')
    settings.NETWORKS_FILE = str(empty)
    assert pdf.render(invoice, "receipt") == first


# --- nothing from outside ---------------------------------------------------------------------------------------
@pytest.fixture
def listener() -> Iterator[tuple[int, list[Any]]]:
    """A real server on this machine that notes who knocks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        knocks: list[Any] = []
        done = threading.Event()

        def listen() -> None:
            while not done.is_set():
                try:
                    line, address = server.accept()
                except TimeoutError:
                    continue
                knocks.append(address)
                line.close()

        thread = threading.Thread(target=listen)
        thread.start()
        yield server.getsockname()[1], knocks
        done.set()
        thread.join()


def test_what_people_write_makes_nobody_fetch_anything(merchant: Merchant, listener: tuple[int, list[Any]]):
    port, knocks = listener
    bait = f'<img src="http://127.0.0.1:{port}/a.png"><style>@import url(http://127.0.0.1:{port}/b.css);</style>'
    breakout = f'"; }} @import "http://127.0.0.1:{port}/c.css"; body {{ background: url(http://127.0.0.1:{port}/d.png) }} /*'
    merchant.name, merchant.footer, merchant.address = breakout[:120], bait, breakout
    merchant.save()
    invoice = publish(make_draft(merchant, [(bait, "1", "1.00")], title=bait, description=bait, payer_name=breakout[:120], payer_address=bait))
    (text, *_more) = texts(pdf.render(invoice, "invoice"))
    assert f'<img src="http://127.0.0.1:{port}/a.png">' in text
    assert knocks == []


def test_even_a_page_that_asks_for_files_and_addresses_gets_none(listener: tuple[int, list[Any]], tmp_path: Path, caplog: pytest.LogCaptureFixture):
    port, knocks = listener
    secret = tmp_path / "secret.txt"
    secret.write_text("the-secret-text")
    page = (
        f'<html lang="en"><title>x</title><link rel="stylesheet" href="http://127.0.0.1:{port}/a.css">'
        f"<style>@import url(http://127.0.0.1:{port}/b.css); p {{ background: url(http://127.0.0.1:{port}/c.png) }}</style>"
        f'<link rel="attachment" href="file://{secret}"><img alt="x" src="http://127.0.0.1:{port}/d.png"><img alt="x" src="file://{secret}">'
        f"<img alt=\"x\" src=\"data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg'><image href='http://127.0.0.1:{port}/e.png'/></svg>\"><p>here</p>"
    )
    made = press.printed(page, sheet="", identifier=b"x")
    assert knocks == []
    assert ("here" in texts(made)[0], list(read(made).attachments)) == (True, [])


def test_the_listener_of_these_tests_hears_a_knock(listener: tuple[int, list[Any]]):
    port, knocks = listener
    socket.create_connection(("127.0.0.1", port)).close()
    for _again in range(50):
        if knocks:
            break
        threading.Event().wait(0.05)
    assert len(knocks) == 1


# --- kept -------------------------------------------------------------------------------------------------------
def test_it_is_made_once_and_stored_with_its_hash(invoice: Invoice):
    rendering = pdf.ensure(invoice.pk, now=NOW)
    assert (rendering.kind, rendering.made_at, rendering.attempts, rendering.error, len(rendering.sha256)) == ("invoice", NOW, 1, "", 64)
    assert pdf.content(rendering) == pdf.render(invoice, "invoice")
    again = pdf.ensure(invoice.pk, now=NOW + timedelta(days=1))
    assert (again.pk, again.file.name, again.made_at) == (rendering.pk, rendering.file.name, NOW)


def test_voiding_leaves_the_stored_pdf_as_it_was(invoice: Invoice):
    rendering = pdf.ensure(invoice.pk, now=NOW)
    before = pdf.content(rendering)
    Invoice.objects.filter(pk=invoice.pk).update(status=Status.VOID, voided_at=NOW, void_reason="A mistake")
    assert pdf.content(pdf.ensure(invoice.pk, now=NOW)) == before


def test_of_two_that_print_at_once_the_first_to_store_wins(invoice: Invoice):
    one, other = pdf.request(invoice, "invoice"), Rendering.objects.get(invoice=invoice, kind="invoice")
    assert one.pk == other.pk
    before = len(list(Path(default_storage.path("pdf")).rglob("*.pdf")))
    won = stored._store(one, invoice, b"first", now=NOW)
    lost = stored._store(other, invoice, b"second", now=NOW)
    assert (pdf.content(won), pdf.content(lost), lost.file.name) == (b"first", b"first", won.file.name)
    assert len(list(Path(default_storage.path("pdf")).rglob("*.pdf"))) == before + 1


def test_a_file_that_is_gone_is_made_again(invoice: Invoice):
    rendering = pdf.ensure(invoice.pk, now=NOW)
    rendering.file.storage.delete(rendering.file.name)
    again = pdf.ensure(invoice.pk, now=NOW + timedelta(days=1))
    assert (pdf.content(again), again.sha256) == (pdf.render(invoice, "invoice"), rendering.sha256)


def test_a_damaged_file_is_not_handed_out(invoice: Invoice):
    rendering = pdf.ensure(invoice.pk, now=NOW)
    Path(rendering.file.path).write_bytes(b"%PDF-1.7 something else")
    with pytest.raises(pdf.NotMade, match="damaged"):
        pdf.content(rendering)


def test_there_is_no_pdf_of_a_draft_and_no_receipt_before_payment(merchant: Merchant, invoice: Invoice):
    with pytest.raises(pdf.NotMade, match="has not been issued"):
        pdf.ensure(make_draft(merchant, title="Later").pk, now=NOW)
    with pytest.raises(pdf.NotMade, match=r"INV-000001 is not paid; there is no receipt\."):
        pdf.ensure(invoice.pk, kind="receipt", now=NOW)
    assert Rendering.objects.exclude(made_at=None).count() == 0


def test_a_receipt_is_forgotten_and_a_later_one_tells_the_new_facts(invoice: Invoice, django_capture_on_commit_callbacks: Any):
    pay(invoice, credit=289665)
    first = pdf.ensure(invoice.pk, kind="receipt", now=NOW)
    with django_capture_on_commit_callbacks(execute=True):
        Invoice.objects.filter(pk=invoice.pk).update(status=Status.OPEN, paid_at=None)
        Transfer.objects.filter(invoice=invoice).update(status="dropped")
        pdf.forget_receipt(invoice)
    assert (Rendering.objects.filter(kind="receipt").exists(), default_storage.exists(first.file.name)) == (False, False)
    pay(invoice, credit=289665, txid="another-transaction")
    (text,) = texts(pdf.content(pdf.ensure(invoice.pk, kind="receipt", now=NOW)))
    assert ("another-transaction" in text, TXID in text.replace(" ", "")) == (True, False)


def test_a_receipt_that_was_overtaken_by_a_reopening_is_not_stored(invoice: Invoice):
    pay(invoice, credit=289665)
    waiting = pdf.request(invoice, "receipt")
    Invoice.objects.filter(pk=invoice.pk).update(status=Status.OPEN, paid_at=None)
    with pytest.raises(pdf.NotMade, match="changed while its PDF was being made"):
        stored._store(waiting, invoice, b"of a payment that is gone", now=NOW)
    waiting.refresh_from_db()
    assert (waiting.made_at, waiting.file.name) == (None, "")


# --- failing ----------------------------------------------------------------------------------------------------
@pytest.fixture
def broken(invoice: Invoice) -> Invoice:
    """An invoice that cannot be printed: its time zone is none."""
    Invoice.objects.filter(pk=invoice.pk).update(time_zone="Nowhere/Land")
    return invoice


def test_a_failure_is_counted_and_says_why(broken: Invoice):
    with pytest.raises(pdf.NotMade, match="The PDF of INV-000001 could not be made yet"):
        pdf.ensure(broken.pk, now=NOW)
    rendering = Rendering.objects.get(invoice=broken, kind="invoice")
    assert (rendering.attempts, rendering.error, rendering.made_at) == (1, "ZoneInfoNotFoundError: 'No time zone found with key Nowhere/Land'", None)


def test_after_the_third_failure_it_is_left_and_shown_until_somebody_begins_again(broken: Invoice, merchant: Merchant):
    other = publish(make_draft(make_merchant(slug="other-house")))
    for _tick in range(5):
        tasks.make_missing_pdfs()
    assert Rendering.objects.get(invoice=broken).attempts == 3
    assert Rendering.objects.get(invoice=other).made_at is not None
    assert [(found.invoice.number, found.attempts) for found in pdf.failed(merchant)] == [("INV-000001", 3)]
    Invoice.objects.filter(pk=broken.pk).update(time_zone="Europe/Lisbon")
    pdf.retry(broken, "invoice")
    tasks.make_missing_pdfs()
    assert list(pdf.failed(merchant)) == []
    assert Rendering.objects.get(invoice=broken).error == ""


def test_what_kills_its_worker_is_counted_before_it_begins(invoice: Invoice, monkeypatch: pytest.MonkeyPatch):
    def killed(*_args: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(stored.paper, "render", killed)
    with pytest.raises(KeyboardInterrupt):
        pdf.ensure(invoice.pk, now=NOW)
    rendering = Rendering.objects.get(invoice=invoice)
    assert (rendering.attempts, rendering.error) == (1, "It was begun, and not finished.")


def test_the_sweep_asks_the_index_of_waiting_rows(invoice: Invoice, django_assert_num_queries: Any):
    for _each in range(3):
        pdf.ensure(publish(make_draft(invoice.merchant)).pk, now=NOW)
    pdf.request(invoice, "invoice")
    with django_assert_num_queries(1):
        assert [(found.invoice_id, found.kind) for found in pdf.missing(NOW)] == [(invoice.pk, "invoice")]


def test_the_task_swallows_what_is_on_the_row_already(broken: Invoice):
    tasks.make_pdf(broken.pk, "invoice")
    assert Rendering.objects.get(invoice=broken).attempts == 1
