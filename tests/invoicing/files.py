"""Small files of every kind that may be attached."""

from __future__ import annotations

import io
import zipfile

from invoicing.sniffing import ODS as ODS
from invoicing.sniffing import ODT as ODT

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + b"\x00" * 20
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\x00" * 20
WEBP = b"RIFF\x10\x00\x00\x00WEBPVP8 " + b"\x00" * 20
CSV = b"data,valor\n2026-11-17,10.50\n"
DOCX_TYPES = b'<Types><Override ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>'
XLSX_TYPES = b'<Types><Override ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>'


def zipped(members: dict[str, bytes], *, stored: bool = False) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def docx(more: dict[str, bytes] | None = None, *, types: bytes = DOCX_TYPES) -> bytes:
    return zipped({"[Content_Types].xml": types, "word/document.xml": b"<w:document/>", **(more or {})})


def xlsx(more: dict[str, bytes] | None = None) -> bytes:
    return zipped({"[Content_Types].xml": XLSX_TYPES, "xl/workbook.xml": b"<workbook/>", **(more or {})})


def open_document(kind: str, more: dict[str, bytes] | None = None) -> bytes:
    return zipped({"mimetype": kind.encode(), "content.xml": b"<office/>", **(more or {})}, stored=True)
