"""What a file is, by its content. Pure: a name and bytes go in, one of our own content types comes out.

The first bytes must be those of the kind that the name claims, at the very start, so that a file cannot be two
things at once. Archives (Office and OpenDocument files) are only listed: nothing is unpacked but two small,
known members, with a limit.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import PurePosixPath

from django.utils.translation import gettext as _

MAX_DIRECTORY = 2_000_000  # bytes of a ZIP's list of members
MAX_MEMBERS = 4_000
MAX_UNPACKED = 200_000_000
MAX_READ = 1_000_000
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ALLOWED_WORDS = "PDF, PNG, JPEG, WebP, CSV, TXT, DOCX, XLSX, ODT, ODS"


class Unwanted(Exception):
    """This content may not be attached; the text says why."""


def content_type(name: str, data: bytes) -> str:
    """The content type of a file called `name`; Unwanted when name or content is not one we take."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in KINDS:
        raise Unwanted(_("Only these can be attached: %(kinds)s.") % {"kinds": ALLOWED_WORDS})
    kind, check = KINDS[suffix]
    check(data, suffix)
    return kind


def _mismatch(suffix: str) -> Unwanted:
    return Unwanted(_("Its name ends in %(suffix)s, but that is not what is inside.") % {"suffix": suffix})


def _starts(*beginnings: bytes) -> Callable[[bytes, str], None]:
    def check(data: bytes, suffix: str) -> None:
        if not data.startswith(beginnings):
            raise _mismatch(suffix)

    return check


def _pdf(data: bytes, suffix: str) -> None:
    if not data.startswith(b"%PDF-") or b"%%EOF" not in data[-2048:]:
        raise _mismatch(suffix)


def _png(data: bytes, suffix: str) -> None:
    if not data.startswith(b"\x89PNG\r\n\x1a\n") or data[12:16] != b"IHDR":
        raise _mismatch(suffix)


def _webp(data: bytes, suffix: str) -> None:
    if data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        raise _mismatch(suffix)


def _text(data: bytes, suffix: str) -> None:
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        raise Unwanted(_("It is not plain text in UTF-8. Save it as UTF-8 and add it again.")) from None
    if any(ord(letter) < 32 and letter not in "\t\n\r\f" for letter in text):
        raise _mismatch(suffix)


def _archive(data: bytes, suffix: str) -> zipfile.ZipFile:
    """The ZIP file that `data` is from its first byte on, opened but not unpacked, within our limits."""
    end = data.rfind(b"PK\x05\x06")
    if not data.startswith(b"PK\x03\x04") or end < 0 or len(data) < end + 22:
        raise _mismatch(suffix)
    members, directory = struct.unpack_from("<HI", data, end + 10)
    if members > MAX_MEMBERS or directory > MAX_DIRECTORY:
        raise Unwanted(_("It holds too many parts to be looked through."))
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        raise Unwanted(_("It is damaged. Save it once more and add it again.")) from None
    parts = archive.infolist()
    if min((part.header_offset for part in parts), default=1):
        raise _mismatch(suffix)
    if any(part.flag_bits & 1 for part in parts):
        raise Unwanted(_("It is locked with a password. Save it without one and add it again."))
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise Unwanted(_("It would unpack to more than 200 MB."))
    return archive


def _read(archive: zipfile.ZipFile, name: str, suffix: str) -> bytes:
    """A small member, never more than MAX_READ bytes of it, whatever its header says."""
    try:
        with archive.open(name) as member:
            content = member.read(MAX_READ + 1)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError):
        raise _mismatch(suffix) from None
    if len(content) > MAX_READ:
        raise _mismatch(suffix)
    return content


def _macros() -> Unwanted:
    return Unwanted(_("It holds macros. Save it without them and add it again."))


def _office(main: str, kind: str) -> Callable[[bytes, str], None]:
    def check(data: bytes, suffix: str) -> None:
        with _archive(data, suffix) as archive:
            names = [name.lower() for name in archive.namelist()]
            types = _read(archive, "[Content_Types].xml", suffix).lower()
        if any(name.endswith(("vbaproject.bin", "vbadata.xml")) or "/activex/" in name or "/macrosheets/" in name for name in names):
            raise _macros()
        if b"macroenabled" in types or b"vbaproject" in types:
            raise _macros()
        if main not in names or kind.encode() not in types:
            raise _mismatch(suffix)

    return check


def _open_document(kind: str) -> Callable[[bytes, str], None]:
    def check(data: bytes, suffix: str) -> None:
        with _archive(data, suffix) as archive:
            names = archive.namelist()
            said = _read(archive, "mimetype", suffix)
        if said.strip() != kind.encode() or names[0] != "mimetype" or "content.xml" not in names:
            raise _mismatch(suffix)
        if any(name.startswith(("Basic/", "Scripts/")) for name in names):
            raise _macros()

    return check


# extension → (the content type we serve it as, the check of its content)
KINDS: dict[str, tuple[str, Callable[[bytes, str], None]]] = {
    ".pdf": ("application/pdf", _pdf),
    ".png": ("image/png", _png),
    ".jpg": ("image/jpeg", _starts(b"\xff\xd8\xff")),
    ".jpeg": ("image/jpeg", _starts(b"\xff\xd8\xff")),
    ".webp": ("image/webp", _webp),
    ".csv": ("text/csv", _text),
    ".txt": ("text/plain", _text),
    ".docx": (WORD, _office("word/document.xml", "wordprocessingml.document.main+xml")),
    ".xlsx": (SHEET, _office("xl/workbook.xml", "spreadsheetml.sheet.main+xml")),
    ".odt": (ODT, _open_document(ODT)),
    ".ods": (ODS, _open_document(ODS)),
}
ACCEPT = ",".join(KINDS)
