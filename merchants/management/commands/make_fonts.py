"""Inter as two small WOFF2 files, cut from the TTF of the fontpkg-inter wheel."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from fontpkg_inter import ROOT
from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

WEIGHTS = (400, 600)  # no others are used; the optical size stays free
# What the two @font-face rules of static/css/tokens.css say as well: Latin, punctuation and currencies, which every page
# asks for; Latin of the rest of Europe and of Vietnam, Greek and Cyrillic, fetched when a page has a letter of them.
CORE = "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+2000-206F,U+20A0-20C0,U+2122,U+2190-2193,U+2212,U+2215,U+2248,U+039E,U+0141"
REST = "U+0100-0130,U+0132-0140,U+0142-0151,U+0154-024F,U+02BD-02C5,U+02C7-02D9,U+02DB,U+02DD-039D,U+039F-04FF,U+1E00-1EFF"
FEATURES = ["kern", "liga", "calt", "ccmp", "locl", "mark", "mkmk", "tnum", "zero", "ss02", "case"]


class Command(BaseCommand):
    help = "Make the web fonts in DATA_DIR/fonts; does nothing when they are there for this version of Inter."

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.DATA_DIR) / "fonts"
        stamp = folder / ".made-from"  # hidden, so that collectstatic leaves it
        made_from = f"fontpkg-inter {version('fontpkg-inter')}, fonttools {version('fonttools')}\n{WEIGHTS}\n{CORE}\n{REST}\n{FEATURES}\n"
        targets = {folder / "inter-core.woff2": CORE, folder / "inter-rest.woff2": REST}
        if stamp.exists() and stamp.read_text() == made_from and all(target.exists() for target in targets):
            return
        folder.mkdir(parents=True, exist_ok=True)
        source = next(Path(str(ROOT)).rglob("Inter[[]opsz,wght[]].ttf"))
        for target, ranges in targets.items():
            self._cut(source, target, ranges)
        stamp.write_text(made_from)

    def _cut(self, source: Path, target: Path, ranges: str) -> None:
        options = subset.Options(layout_features=FEATURES, flavor="woff2", notdef_outline=True, name_IDs=[1, 2], drop_tables=["DSIG"])
        font = TTFont(source)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=subset.parse_unicodes(ranges.replace("U+", "")))
        cutter.subset(font)
        instancer.instantiateVariableFont(font, {"wght": WEIGHTS}, inplace=True)
        font.flavor = "woff2"
        font.save(target)
        self.stdout.write(f"{target.name}: {target.stat().st_size // 1000} kB")
