"""The fonts of PDFs: those that come with our requirements, the same on every machine.

Inter first; Noto for what Inter has not (Arabic, Hebrew, Thai, Devanagari, …, and CJK). The system's own fonts stand
behind them, for scripts that none of these has.
"""

from __future__ import annotations

import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from xml.sax.saxutils import escape

from django.conf import settings

# A variable font is used at its named weights only: left to itself, fontconfig asks for another optical size at each
# size of type, and each is one more font to cut and to embed (0.1 s and 6 kB).
NAMED_WEIGHTS_ONLY = '<selectfont><rejectfont><pattern><patelt name="variable"><bool>true</bool></patelt></pattern></rejectfont></selectfont>'
PACKAGES = {"fontpkg_inter": "files", "manimgx_fonts": "", "noto_cjk_sans_otc": ""}  # package → folder inside it
SYSTEM = ("/usr/share/fonts", "/usr/local/share/fonts")


def folders() -> list[Path]:
    """Where the fonts are; a package that is not installed is left out."""
    found = []
    for package, inside in PACKAGES.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            found.append(Path(spec.origin).parent / inside)
    return found + [Path(name) for name in SYSTEM if Path(name).is_dir()]


def configuration() -> Path:
    """The fontconfig file of this installation, written to DATA_DIR when it is not there or says something else."""
    home = Path(settings.DATA_DIR)
    directories = "\n".join(f"  <dir>{escape(str(folder))}</dir>" for folder in folders())
    text = (
        '<?xml version="1.0"?>\n<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">\n<fontconfig>\n'
        f"{directories}\n  {NAMED_WEIGHTS_ONLY}\n  <cachedir>{escape(str(home / 'fontconfig'))}</cachedir>\n</fontconfig>\n"
    )
    path = home / "fonts.conf"
    if not path.exists() or path.read_text() != text:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=home, prefix="fonts.conf.", delete=False) as part:
            part.write(text)
        os.replace(part.name, path)  # noqa: PTH105 - whole or not at all: other workers read it
    return path
