"""What may be attached, and where it is until its invoice is saved.

An accepted file is stored at once as a pending upload of one form (`form_key`); saving the form takes it over.
What is not used within a day is purged. Files lie outside the web root under random names.
"""

from __future__ import annotations

import hashlib
import unicodedata
from datetime import datetime, timedelta
from functools import partial
from pathlib import PurePosixPath

from django.core.files.base import ContentFile
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.http import FileResponse
from django.utils.translation import gettext as _

from invoicing import sniffing
from invoicing.models import Attachment, Invoice, Schedule
from merchants.models import Merchant, User

MAX_FILES = 10
MAX_BYTES = 10 * 1024 * 1024
MAX_NAME = 180
KEPT_FOR = timedelta(hours=24)


class Rejected(Exception):
    """This file cannot be attached; the text names the file and says why."""


def accept(file: UploadedFile, *, merchant: Merchant, form_key: str, by: User, now: datetime, room: int = MAX_FILES) -> Attachment:
    """Check `file` by name and by content and store it as a pending upload of the form. Rejected with the reason.

    `room` is how many files the form may hold beside what its invoice already has.
    """
    name = clean_name(file.name or "")
    if pending(merchant, form_key).count() >= room:
        raise Rejected(_("%(name)s was not added: an invoice holds %(most)s files. Remove one first.") % {"name": name, "most": MAX_FILES})
    data = _bytes(file, name)
    try:
        content_type = sniffing.content_type(name, data)
    except sniffing.Unwanted as error:
        raise Rejected(_("%(name)s was not added. %(reason)s") % {"name": name, "reason": error}) from None
    return _store(data, name=name, content_type=content_type, merchant=merchant, form_key=form_key, by=by, now=now)


def _bytes(file: UploadedFile, name: str) -> bytes:
    """The whole content, counted as it is read: the size a browser claims proves nothing."""
    read = bytearray()
    for chunk in file.chunks():
        read += chunk
        if len(read) > MAX_BYTES:
            raise Rejected(_("%(name)s was not added: it is larger than 10 MB.") % {"name": name})
    if not read:
        raise Rejected(_("%(name)s was not added: it is empty.") % {"name": name})
    return bytes(read)


def _store(data: bytes, *, name: str, content_type: str, merchant: Merchant, form_key: str, by: User | None, now: datetime) -> Attachment:
    attachment = Attachment(
        merchant=merchant,
        form_key=form_key,
        uploaded_by=by,
        name=name,
        size=len(data),
        content_type=content_type,
        sha256=hashlib.sha256(data).hexdigest(),
        created_at=now,
    )
    attachment.file.save(name, ContentFile(data), save=False)
    attachment.save()
    return attachment


def clean_name(name: str) -> str:
    """The file's own name, without path, control or direction characters, at most 180 long with its extension kept."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    visible = "".join(letter for letter in last if unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
    tidy = " ".join(visible.split()).lstrip(".") or "file"
    path = PurePosixPath(tidy)
    return tidy if len(tidy) <= MAX_NAME else path.stem[: MAX_NAME - len(path.suffix)] + path.suffix[:MAX_NAME]


def pending(merchant: Merchant, form_key: str) -> QuerySet[Attachment]:
    """The uploads that wait for this form to be saved. None for a form without a key."""
    waiting = Attachment.objects.filter(merchant=merchant, invoice=None, schedule=None)
    return waiting.filter(form_key=form_key) if form_key else waiting.none()


def attach(owner: Invoice | Schedule, *, form_key: str, removed: tuple[str, ...]) -> bool:
    """Take off the files whose public ids are in `removed`, take over what waits for the form. Whether anything moved."""
    gone = drop(owner.attachments.filter(public_id__in=removed)) if removed else 0
    taken = pending(owner.merchant, form_key).update(**{str(owner._meta.model_name): owner, "form_key": ""})
    return bool(gone or taken)


def share(attachments: QuerySet[Attachment], *, to: Invoice | Schedule | None = None, form_key: str = "", now: datetime) -> None:
    """Give `to`, or the form `form_key`, rows of its own for these files. Call it under the lock of what they belong to.

    The bytes are shared, and stay while one row is left (see `drop`).
    """
    owner = {str(to._meta.model_name): to} if to is not None else {"form_key": form_key}
    same = ("merchant_id", "uploaded_by_id", "name", "size", "content_type", "sha256", "file")
    Attachment.objects.bulk_create(
        Attachment(**owner, created_at=now, **{name: getattr(original, name) for name in same}) for original in attachments.order_by("id")
    )


def drop(attachments: QuerySet[Attachment]) -> int:
    """Delete these rows and, once that is committed, the bytes that no other row shares. How many rows."""
    doomed = list(attachments)
    for attachment in doomed:
        transaction.on_commit(partial(_forget, attachment))
    attachments.model.objects.filter(pk__in=[attachment.pk for attachment in doomed]).delete()
    return len(doomed)


def _forget(attachment: Attachment) -> None:
    """Delete the bytes of a row that is gone, unless another still has them."""
    if not Attachment.objects.filter(file=attachment.file.name).exists():
        attachment.file.storage.delete(str(attachment.file.name))


def purge(*, now: datetime, batch: int = 500) -> int:
    """Delete pending uploads older than a day. How many."""
    waiting = Attachment.objects.filter(invoice=None, schedule=None)
    old = waiting.filter(created_at__lt=now - KEPT_FOR).order_by("id")[:batch]
    with transaction.atomic():
        return drop(waiting.filter(pk__in=list(old.values_list("pk", flat=True))))


def download(attachment: Attachment) -> FileResponse:
    """The file as a download of the kind we found it to be, which no browser opens as a page of this site."""
    response = FileResponse(attachment.file.open("rb"), as_attachment=True, filename=attachment.name, content_type=attachment.content_type)
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response["Cache-Control"] = "private, no-store"
    return response
