"""The paper that every mail is written on: the stylesheet, with the rules of one colour, inlined as mail programs want it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import css_inline
from django.contrib.staticfiles import finders

from merchants import branding

OWN_COLOR = "#1F4FD1"  # of mails that are no merchant's


def inlined(html: str, *, light: branding.Shades, dark: branding.Shades) -> str:
    """`html` with the styles of its classes; what depends on the reader's screen stays in a block of its own."""
    rules = _stylesheet() + brand_css(light, dark)
    return str(css_inline.CSSInliner(extra_css=rules, keep_at_rules=True, load_remote_stylesheets=False).inline(html))


@cache
def _stylesheet() -> str:
    path = finders.find("css/email.css")
    if not path:
        raise FileNotFoundError("static/css/email.css is missing; mails cannot be written without it.")
    return Path(str(path)).read_text()


def brand_css(light: branding.Shades, dark: branding.Shades) -> str:
    """The rules that depend on the colour. Only !important reaches past inlined styles."""
    return f"""
.fill {{ background-color: {light.accent}; color: {light.on_accent}; }}
.button-link {{ color: {light.on_accent}; }}
.link {{ color: {light.link}; }}
@media (prefers-color-scheme: dark) {{
  .fill {{ background-color: {dark.accent} !important; color: {dark.on_accent} !important; }}
  .button-link {{ color: {dark.on_accent} !important; }}
  .link {{ color: {dark.link} !important; }}
}}
"""
