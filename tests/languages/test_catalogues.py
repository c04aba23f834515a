"""What stands where payers and mails are written has its words in each catalogue, also where no test has been."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from config import translations
from config.env import ROOT

PARTS = (
    "about",
    "choose",
    "claim_amount",
    "claim_done",
    "claim_ended",
    "claim_form",
    "claim_lapsed",
    "claim_mailed",
    "claim_way",
    "confirmations",
    "confirming",
    "dropped",
    "expired",
    "held",
    "missed",
    "paid",
    "part",
    "progress",
    "questions",
    "quoted",
    "received",
    "received_dl",
    "renew",
    "said",
    "sandbox",
    "sent",
    "status",
    "txid",
    "void",
    "wallet",
)
# The files whose every string a payer may read, and all mails.
READ = (
    "templates/emails/*",
    "templates/invoicing/public/*",
    "templates/invoicing/print/*",
    "templates/layouts/public.html",
    "templates/layouts/print.html",
    "templates/notifications/lost.html",
    "templates/payments/checkout.html",
    "templates/payments/claim*",
    *(f"templates/payments/_{name}.html" for name in PARTS),
    "templates/400.html",
    "templates/403_csrf.html",
    "templates/404.html",
    "invoicing/pdf/*",
    "merchants/moments.py",
    "notifications/mail/emails/refund_words.py",
    "payments/asking.py",
    "payments/checkout.py",
    "payments/claims.py",
    "payments/forms_claim.py",
    "payments/hints.py",
    "payments/returning.py",
    "payments/slips.py",
    "payments/views/checkout.py",
    "payments/views/claim.py",
)
HOLE = re.compile(r"%\(\w+\)[sd]|%%|<[^>]+>|\{\w+\}")
CATALOGUES = translations.catalogues()
NAMES = [path.parent.parent.name for path in CATALOGUES]


def forms(message: Any) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string)


@pytest.mark.parametrize("path", CATALOGUES, ids=NAMES)
def test_all_that_payers_read_is_translated(path: Path) -> None:
    messages = [message for message in translations.read(path) if message.id]
    found = [message for message in messages if any(fnmatch(file, glob) for file, _line in message.locations for glob in READ)]
    assert len(found) > 500
    assert [message.id for message in found if message.fuzzy or not all(forms(message))] == []


@pytest.mark.parametrize("path", CATALOGUES, ids=NAMES)
def test_no_translation_loses_a_hole_or_a_tag_and_none_has_one_that_nobody_fills(path: Path) -> None:
    wrong = []
    for message in translations.read(path):
        if not message.id or not any(forms(message)):
            continue
        ids = [message.id] if isinstance(message.id, str) else list(message.id)
        allowed = {hole for text in ids for hole in HOLE.findall(text)}
        is_plural = len(ids) > 1  # 'one invoice' needs no figure
        for text in forms(message):
            holes = HOLE.findall(text)
            if not set(holes) <= allowed or (not is_plural and sorted(holes) != sorted(HOLE.findall(ids[0]))):
                wrong.append((message.id, text))
    assert wrong == []


def test_each_catalogue_is_gathered_from_the_same_sources() -> None:
    gathered = [{(message.context, str(message.id)) for message in translations.read(path)} for path in CATALOGUES]
    assert all(one == gathered[0] for one in gathered)


def test_compiling_writes_what_is_older_than_its_source_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    source = folder / "django.po"
    source.write_text((ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po").read_text())
    monkeypatch.setattr(translations, "FOLDER", tmp_path)
    assert translations.compile_all() == [folder / "django.mo"]
    assert translations.compile_all() == []
    source.touch()
    assert translations.compile_all() == [folder / "django.mo"]
    assert [path.name for path in folder.iterdir()] in (["django.po", "django.mo"], ["django.mo", "django.po"])
