"""Inter as two small WOFF2 files, cut from the TTF of the fontpkg-inter wheel; and Arabic letters, from the Noto of manimgx-fonts."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import manimgx_fonts
from django.conf import settings
from django.core.management.base import BaseCommand
from fontpkg_inter import ROOT
from fontTools import subset
from fontTools.ttLib import TTFont
from fontTools.varLib import instancer

WEIGHTS = (400, 600)  # no others are used; the optical size stays free
# What the @font-face rules of static/css/tokens.css say as well: Latin, punctuation and currencies, which every page
# asks for; Latin of the rest of Europe and of Vietnam, Greek and Cyrillic, fetched when a page has a letter of them.
CORE = "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+2000-206F,U+20A0-20C0,U+2122,U+2190-2193,U+2212,U+2215,U+2248,U+039E,U+0141"
REST = "U+0100-0130,U+0132-0140,U+0142-0151,U+0154-024F,U+02BD-02C5,U+02C7-02D9,U+02DB,U+02DD-039D,U+039F-04FF,U+1E00-1EFF"
ARABIC = "U+0600-06FF,U+0750-077F,U+FB50-FDFF,U+FE70-FEFE"
FEATURES = ["kern", "liga", "calt", "ccmp", "locl", "mark", "mkmk", "tnum", "zero", "ss02", "case"]


def _file(folder: Any, pattern: str) -> Path:
    return next(Path(str(folder)).rglob(pattern))


class Command(BaseCommand):
    help = "Make the web fonts in DATA_DIR/fonts; does nothing when they are there for these versions of their sources."

    def handle(self, *args: Any, **options: Any) -> None:
        folder = Path(settings.DATA_DIR) / "fonts"
        stamp = folder / ".made-from"  # hidden, so that collectstatic leaves it
        sources = ", ".join(f"{name} {version(name)}" for name in ("fontpkg-inter", "manimgx-fonts", "fonttools"))
        made_from = f"{sources}\n{WEIGHTS}\n{CORE}\n{REST}\n{ARABIC}\n{FEATURES}\n"
        inter, noto = _file(ROOT, "Inter[[]opsz,wght[]].ttf"), _file(manimgx_fonts.__path__[0], "NotoSansArabic[[]wght[]].ttf")
        targets = {folder / "inter-core.woff2": (inter, CORE), folder / "inter-rest.woff2": (inter, REST), folder / "arabic.woff2": (noto, ARABIC)}
        if stamp.exists() and stamp.read_text() == made_from and all(target.exists() for target in targets):
            return
        folder.mkdir(parents=True, exist_ok=True)
        for target, (source, ranges) in targets.items():
            self._cut(source, target, ranges)
        stamp.write_text(made_from)

    def _cut(self, source: Path, target: Path, ranges: str) -> None:
        features = ["*"] if ranges == ARABIC else FEATURES  # without theirs the letters do not join
        options = subset.Options(layout_features=features, flavor="woff2", notdef_outline=True, name_IDs=[1, 2], drop_tables=["DSIG"])
        font = TTFont(source)
        cutter = subset.Subsetter(options)
        cutter.populate(unicodes=subset.parse_unicodes(ranges.replace("U+", "")))
        cutter.subset(font)
        instancer.instantiateVariableFont(font, {"wght": WEIGHTS}, inplace=True)
        font.flavor = "woff2"
        font.save(target)
        self.stdout.write(f"{target.name}: {target.stat().st_size // 1000} kB")
