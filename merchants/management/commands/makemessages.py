"""Gather every string of the sources into locale/*/LC_MESSAGES/django.po. Needs GNU gettext (xgettext, msgmerge).

The same sources give the same files: no dates, and of each string the files it stands in, not the lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.commands import makemessages

IGNORED = (".venv", "tests", "var", "staticfiles", "docs", "node_modules", "locale", "bin")
MOVING = re.compile(r'^"(?:POT-Creation-Date|PO-Revision-Date|Report-Msgid-Bugs-To): [^"]*"\n', re.MULTILINE)


class Command(makemessages.Command):
    help = __doc__ or ""
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]  # noqa: RUF012 - nothing is guessed
    xgettext_options = [*makemessages.Command.xgettext_options, "--keyword=_l"]  # noqa: RUF012 - as in Django

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.LOCALE_PATHS[0])
        languages = sorted(path.name for path in folder.iterdir() if path.is_dir())
        ignored = [f"{name}{end}" for name in IGNORED for end in ("", "/*")]
        ours = {"locale": languages, "no_wrap": True, "no_obsolete": True, "add_location": "file", "ignore_patterns": ignored}
        super().handle(*args, **options | ours)
        for path in folder.glob("*/LC_MESSAGES/django.po"):
            path.write_text(MOVING.sub("", path.read_text()))
