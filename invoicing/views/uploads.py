"""Files of a form that is being written: stored at once, listed until it is saved."""

from __future__ import annotations

import re

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from invoicing import uploads
from invoicing.models import Attachment, Invoice, Schedule
from merchants import clock
from merchants.access import MerchantRequest, needs


@needs("write")
@require_POST
def add(request: MerchantRequest) -> HttpResponse:
    """Store one file for the form `form_key`. 201 with its row of the list, or 422 with the reason as text."""
    form_key, file = request.POST.get("form_key", ""), request.FILES.get("file")
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}", form_key) or file is None:
        return _refused(_("No file arrived. Choose it again."))
    try:
        stored = uploads.accept(file, merchant=request.merchant, form_key=form_key, by=request.user, now=clock.now(), room=_room(request))
    except uploads.Rejected as reason:
        return _refused(str(reason))
    return render(request, "invoicing/_file.html", {"file": stored, "merchant": request.merchant}, status=201)


def _room(request: MerchantRequest) -> int:
    """How many pending files the form may have beside those that its invoice or schedule keeps."""
    removed = request.POST.getlist("removed")
    for kind, model in (("invoice", Invoice), ("schedule", Schedule)):
        pk = request.POST.get(kind, "")
        known = pk.isascii() and pk.isdigit() and len(pk) < 19
        if known and (owner := model._default_manager.filter(merchant=request.merchant, pk=int(pk)).first()):
            return uploads.MAX_FILES - owner.attachments.exclude(public_id__in=removed).count()
    return uploads.MAX_FILES


def _refused(reason: str) -> HttpResponse:
    return HttpResponse(reason, status=422, content_type="text/plain; charset=utf-8")


@needs("write")
@require_POST
def remove(request: MerchantRequest, public_id: str) -> HttpResponse:
    """Delete a pending upload. What belongs to an invoice or a schedule is taken off by saving its form."""
    with transaction.atomic():
        found = get_object_or_404(Attachment, merchant=request.merchant, invoice=None, schedule=None, public_id=public_id)
        uploads.drop(Attachment.objects.filter(pk=found.pk))
    return HttpResponse(status=204)
