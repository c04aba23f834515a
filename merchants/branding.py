"""From one brand colour, the colours of a payer's page: pure, by the contrast formula of WCAG 2.

Colours are '#RRGGBB'. A contrast is a ratio from 1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio).
"""

from __future__ import annotations

import colorsys
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

COLOR = re.compile(r"#[0-9A-Fa-f]{6}")
WHITE, BLACK, INK = "#FFFFFF", "#000000", "#131A2C"
# What the colour is seen on: the surfaces of static/css/tokens.css, light and dark.
LIGHT = (WHITE, "#F5F6F9")
DARK = ("#0F131B", "#141924")

READABLE = 4.5  # text
VISIBLE = 3.3  # a button on a dark page
LINK_ON_DARK = 9.0
SEEN_ON_PAPER = 1.5  # below this a button is lost on a white page
STEP = 0.004  # of lightness


@dataclass(frozen=True)
class Shades:
    """What a page in one scheme, light or dark, needs of a brand colour."""

    accent: str  # buttons
    on_accent: str  # the text on them
    hover: str
    link: str  # also the focus ring and the countdown
    soft: str  # behind a link or a chosen row


def _channels(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return red, green, blue


def _hex(channels: Iterable[float]) -> str:
    return "#" + "".join(f"{round(min(max(value, 0), 1) * 255):02X}" for value in channels)


def luminance(color: str) -> float:
    """Relative luminance, 0 for black to 1 for white."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in _channels(color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """How well one is read on the other, from 1 to 21."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def text_on(color: str) -> str:
    """White where it can be read on `color`, else ink, else black: always 4.5 or more."""
    return next((text for text in (WHITE, INK) if contrast(text, color) >= READABLE), BLACK)


def is_seen_on_paper(color: str) -> bool:
    """Whether a button of this colour stands out on a white page."""
    return contrast(color, WHITE) >= SEEN_ON_PAPER


def mixed(color: str, other: str, share: float) -> str:
    """`color` with `share` (0 to 1) of `other` in it."""
    return _hex(mine * (1 - share) + theirs * share for mine, theirs in zip(_channels(color), _channels(other), strict=True))


def _moved(color: str, step: float, enough: Callable[[str], bool]) -> str:
    """`color` made lighter or darker until `enough`; a lighter one is also less garish. Ends at white or black."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(color))
    shade, level = color, lightness
    end = 1 if step > 0 else 0
    while not enough(shade) and level != end:
        level = min(max(level + step, 0), 1)
        shade = _hex(colorsys.hls_to_rgb(hue, level, saturation * (1 - 0.7 * max(level - lightness, 0))))
    return shade


def _all_at_least(grounds: Iterable[str], ratio: float) -> Callable[[str], bool]:
    return lambda shade: all(contrast(shade, ground) >= ratio for ground in grounds)


def _hover(color: str) -> str:
    """Away from the text on it, so that it reads better, not worse."""
    return mixed(color, BLACK, 0.18) if text_on(color) == WHITE else mixed(color, WHITE, 0.22)


def light(color: str) -> Shades:
    """On a white page: the colour itself, and a link dark enough to be read."""
    soft = mixed(color, WHITE, 0.92)
    link = _moved(color, -STEP, _all_at_least((*LIGHT, soft), READABLE))
    return Shades(accent=color.upper(), on_accent=text_on(color), hover=_hover(color), link=link, soft=soft)


def dark(color: str) -> Shades:
    """On a dark page: as light as it takes to stand out, and a link lighter still."""
    accent = _moved(color, STEP, _all_at_least(DARK, VISIBLE))
    soft = mixed(DARK[1], accent, 0.18)
    link = _moved(color, STEP, lambda shade: _all_at_least(DARK, LINK_ON_DARK)(shade) and contrast(shade, soft) >= READABLE)
    return Shades(accent=accent.upper(), on_accent=text_on(accent), hover=_hover(accent), link=link, soft=soft)


def _declarations(shades: Shades) -> str:
    # The names of static/css/tokens.css.
    named = {
        "--accent": shades.accent,
        "--accent-hover": shades.hover,
        "--accent-on": shades.on_accent,
        "--accent-ink": shades.link,
        "--accent-soft": shades.soft,
    }
    return " ".join(f"{name}: {value};" for name, value in named.items())


def stylesheet(color: str) -> str:
    """CSS that puts a merchant's colour in the place of ours, in light and in dark. ValueError for anything but #RRGGBB."""
    if not COLOR.fullmatch(color):
        raise ValueError(f"{color!r} is not a colour.")
    on_light, on_dark = _declarations(light(color)), _declarations(dark(color))
    return (
        f":root {{ {on_light} }}\n"
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {on_dark} }} }}\n'
        f':root[data-theme="dark"] {{ {on_dark} }}\n'
    )
