"""What may be attached, and what becomes of it."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from invoicing import sniffing, tasks, uploads
from invoicing.models import Attachment
from merchants import clock
from merchants.models import Merchant, User
from tests.factories import NOW, make_draft, make_merchant
from tests.invoicing.files import CSV, DOCX_TYPES, JPEG, ODS, ODT, PDF, PNG, WEBP, XLSX_TYPES, docx, open_document, xlsx, zipped

KEY = "k" * 43


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.pdf", PDF, "application/pdf"),
        ("a.PNG", PNG, "image/png"),
        ("a.jpg", JPEG, "image/jpeg"),
        ("a.jpeg", JPEG, "image/jpeg"),
        ("a.webp", WEBP, "image/webp"),
        ("a.csv", CSV, "text/csv"),
        ("a.txt", "Olá".encode(), "text/plain"),
        ("a.txt", "Olá".encode("utf-16"), "text/plain"),
        ("a.docx", docx(), sniffing.WORD),
        ("a.xlsx", xlsx(), sniffing.SHEET),
        ("a.odt", open_document(ODT), ODT),
        ("a.ods", open_document(ODS), ODS),
    ],
)
def test_each_kind_we_take_is_known_by_its_content(name: str, data: bytes, kind: str) -> None:
    assert sniffing.content_type(name, data) == kind


LYING = "Its name ends in %s, but that is not what is inside."


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("page.html", b"<html>", "Only these can be attached: PDF, PNG, JPEG, WebP, CSV, TXT, DOCX, XLSX, ODT, ODS."),
        ("bill.pdf.exe", PDF, "Only these can be attached: PDF, PNG, JPEG, WebP, CSV, TXT, DOCX, XLSX, ODT, ODS."),
        ("noname", PDF, "Only these can be attached: PDF, PNG, JPEG, WebP, CSV, TXT, DOCX, XLSX, ODT, ODS."),
        ("page.pdf", b"<html><script>alert(1)</script>", LYING % ".pdf"),
        ("both.pdf", b"<script>1</script>" + PDF, LYING % ".pdf"),
        ("both.pdf", PDF + zipped({"a": b"x" * 4000}, stored=True), LYING % ".pdf"),
        ("a.png", JPEG, LYING % ".png"),
        ("a.jpg", PNG, LYING % ".jpg"),
        ("a.webp", b"RIFF\x00\x00\x00\x00AVI ", LYING % ".webp"),
        ("a.txt", b"one\x00two", LYING % ".txt"),
        ("a.csv", "preço".encode("latin-1"), "It is not plain text in UTF-8. Save it as UTF-8 and add it again."),
        ("a.docx", xlsx(), LYING % ".docx"),
        ("a.docx", PDF + docx(), LYING % ".docx"),
        ("a.docx", b"PK\x03\x04" + b"\x00" * 100, LYING % ".docx"),
        ("a.docx", zipped({"word/document.xml": b"<x/>"}), LYING % ".docx"),
        ("a.docx", docx({"word/vbaProject.bin": b"macro"}), "It holds macros. Save it without them and add it again."),
        ("a.docx", docx(types=DOCX_TYPES.replace(b"main+xml", b"main+xml macroEnabled")), "It holds macros. Save it without them and add it again."),
        ("a.xlsx", xlsx({"xl/macrosheets/sheet1.xml": b"x"}), "It holds macros. Save it without them and add it again."),
        ("a.odt", open_document(ODS), LYING % ".odt"),
        ("a.odt", open_document(ODT, {"Basic/Standard/Module1.xml": b"x"}), "It holds macros. Save it without them and add it again."),
        ("a.xlsx", xlsx({f"xl/{number}": b"" for number in range(4001)}), "It holds too many parts to be looked through."),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_with_the_reason(name: str, data: bytes, words: str) -> None:
    with pytest.raises(sniffing.Unwanted) as refusal:
        sniffing.content_type(name, data)
    assert str(refusal.value) == words


def test_a_zip_bomb_is_refused_by_what_it_says_it_unpacks_to() -> None:
    bomb = docx({"word/media/zeros.bin": b"\0" * 210_000_000})
    assert len(bomb) < 300_000
    with pytest.raises(sniffing.Unwanted) as refusal:
        sniffing.content_type("a.docx", bomb)
    assert str(refusal.value) == "It would unpack to more than 200 MB."


def test_a_zip_bomb_that_lies_about_its_size_is_read_no_further_than_the_limit() -> None:
    data = bytearray(zipped({"[Content_Types].xml": XLSX_TYPES + b" " * 5_000_000, "xl/workbook.xml": b"<x/>"}))
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.find(signature) + offset, 10)
    with pytest.raises(sniffing.Unwanted):
        sniffing.content_type("a.xlsx", bytes(data))


def test_a_locked_archive_is_refused_with_the_way_to_mend_it() -> None:
    data = bytearray(docx())
    position = data.find(b"PK\x01\x02")
    data[position + 8] |= 1
    with pytest.raises(sniffing.Unwanted) as refusal:
        sniffing.content_type("a.docx", bytes(data))
    assert str(refusal.value) == "It is locked with a password. Save it without one and add it again."


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\ana\\bill.pdf", "bill.pdf"),
        ("bill\u202efdp.exe.pdf", "billfdp.exe.pdf"),
        ("a\r\nb\x00.pdf", "ab.pdf"),
        (".htaccess.txt", "htaccess.txt"),
        ("", "file"),
        ("\u202e", "file"),
        ("x" * 300 + ".pdf", "x" * 176 + ".pdf"),
        ("Orçamento nº 3.pdf", "Orçamento nº 3.pdf"),
    ],
)
def test_a_file_keeps_its_own_name_and_nothing_that_deceives(given: str, kept: str) -> None:
    assert uploads.clean_name(given) == kept


def _accept(merchant: Merchant, owner: User, data: bytes = PDF, name: str = "a.pdf", **more: object) -> Attachment:
    return uploads.accept(SimpleUploadedFile(name, data), merchant=merchant, form_key=KEY, by=owner, now=NOW, **more)  # type: ignore[arg-type]


def test_an_accepted_file_is_stored_under_a_random_name_with_its_hash(merchant: Merchant, owner: User) -> None:
    stored = _accept(merchant, owner, name="Proposta.pdf")
    assert (stored.name, stored.size, stored.content_type, stored.invoice_id) == ("Proposta.pdf", len(PDF), "application/pdf", None)
    assert stored.sha256 == hashlib.sha256(PDF).hexdigest()
    assert "Proposta" not in stored.file.name
    assert stored.file.name.startswith(f"attachments/{merchant.pk}/")
    with stored.file.open("rb") as file:
        assert file.read() == PDF


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "a.pdf was not added: it is empty."),
        (b"%PDF-" + b"x" * (10 * 1024 * 1024), "a.pdf was not added: it is larger than 10 MB."),
        (b"<html>", "a.pdf was not added. Its name ends in .pdf, but that is not what is inside."),
    ],
)
def test_a_refused_file_says_why_and_leaves_nothing(merchant: Merchant, owner: User, data: bytes, words: str) -> None:
    with pytest.raises(uploads.Rejected) as refusal:
        _accept(merchant, owner, data)
    assert str(refusal.value) == words
    assert Attachment.objects.count() == 0


def test_the_eleventh_file_is_refused(merchant: Merchant, owner: User) -> None:
    for _number in range(10):
        _accept(merchant, owner)
    with pytest.raises(uploads.Rejected) as refusal:
        _accept(merchant, owner)
    assert str(refusal.value) == "a.pdf was not added: an invoice holds 10 files. Remove one first."


def test_a_form_takes_over_its_own_uploads_and_no_others(merchant: Merchant, owner: User) -> None:
    mine = _accept(merchant, owner)
    other = uploads.accept(SimpleUploadedFile("b.pdf", PDF), merchant=merchant, form_key="o" * 43, by=owner, now=NOW)
    stranger = uploads.accept(SimpleUploadedFile("c.pdf", PDF), merchant=make_merchant(slug="other"), form_key=KEY, by=owner, now=NOW)
    invoice = make_draft(merchant)
    assert uploads.attach(invoice, form_key=KEY, removed=()) is True
    assert list(invoice.attachments.all()) == [mine]
    for waiting in (other, stranger):
        waiting.refresh_from_db()
        assert waiting.invoice_id is None


@pytest.mark.django_db(transaction=True)
def test_what_no_form_used_within_a_day_is_purged_with_its_file(merchant: Merchant, owner: User) -> None:
    old = _accept(merchant, owner)
    young = uploads.accept(SimpleUploadedFile("b.pdf", PDF), merchant=merchant, form_key=KEY, by=owner, now=NOW + timedelta(hours=2))
    used = _accept(merchant, owner)
    Attachment.objects.filter(pk=used.pk).update(invoice=make_draft(merchant))
    storage = old.file.storage
    assert uploads.purge(now=NOW + timedelta(hours=24, seconds=1)) == 1
    assert set(Attachment.objects.values_list("pk", flat=True)) == {young.pk, used.pk}
    assert not storage.exists(old.file.name)
    assert storage.exists(young.file.name)


def test_the_task_purges_by_the_one_clock(merchant: Merchant, owner: User) -> None:
    waiting = _accept(merchant, owner)
    Attachment.objects.filter(pk=waiting.pk).update(created_at=clock.now() - timedelta(hours=25))
    tasks.purge_pending_uploads()
    assert Attachment.objects.count() == 0


def test_a_download_is_never_opened_as_a_page(merchant: Merchant, owner: User) -> None:
    response = uploads.download(_accept(merchant, owner, CSV, "preços “novos”.csv"))
    assert b"".join(response.streaming_content) == CSV
    assert response["Content-Type"] == "text/csv"
    assert response["Content-Disposition"] == "attachment; filename*=utf-8''pre%C3%A7os%20%E2%80%9Cnovos%E2%80%9D.csv"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Content-Security-Policy"] == "default-src 'none'; sandbox"
    response.close()


def test_the_helpers_archives_are_real_ones() -> None:
    with zipfile.ZipFile(io.BytesIO(docx())) as archive:
        assert archive.testzip() is None
