"""`python -m config.translations`: the catalogues that Django reads (.mo), from those that people write (.po).

By Babel, so that no machine needs GNU gettext to run; only `make messages`, which gathers what is to be translated, does.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from config.env import ROOT

FOLDER = ROOT / "locale"


def catalogues() -> list[Path]:
    """Every .po of ours: locale/<language>/LC_MESSAGES/django.po."""
    return sorted(FOLDER.glob("*/LC_MESSAGES/*.po"))


def read(path: Path) -> Catalog:
    """A catalogue as it is written, in the language of its folder."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.parent.name)


def compile_all() -> list[Path]:
    """Write each .mo that is missing or older than its .po, whole or not at all; those that were written."""
    written = []
    for source in catalogues():
        target = source.with_suffix(".mo")
        if target.exists() and target.stat().st_mtime_ns >= source.stat().st_mtime_ns:
            continue
        with tempfile.NamedTemporaryFile("wb", dir=target.parent, prefix=".django.", delete=False) as part:
            write_mo(part, read(source))
        Path(part.name).chmod(0o644)
        os.replace(part.name, target)  # noqa: PTH105 - several processes may be at it
        written.append(target)
    return written


if __name__ == "__main__":
    for path in compile_all():
        print(path.relative_to(ROOT))
