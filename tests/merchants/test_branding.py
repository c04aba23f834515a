"""The colours of a payer's page, from one brand colour."""

import pytest

from merchants import branding
from merchants.branding import contrast, dark, light

# The sample of the design, our own accent, a light, a pale, a pure, a grey, a nearly black and black.
COLORS = ["#0B5563", "#1F4FD1", "#F5C518", "#9AD0EC", "#FF0000", "#808080", "#101418", "#000000", "#767676", "#7B2D8E"]


def test_contrast_is_that_of_the_web_guidelines():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#FFFFFF", "#FFFFFF") == pytest.approx(1)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#FFFFFF", "#0B5563") == pytest.approx(8.42, abs=0.005)


def test_the_sample_of_the_design_comes_out_as_drawn():
    assert light("#0B5563").accent == "#0B5563"
    assert light("#0B5563").link == "#0B5563"
    assert contrast(dark("#0B5563").accent, "#FFFFFF") == pytest.approx(5.3, abs=0.15)
    assert contrast(dark("#0B5563").link, "#141924") == pytest.approx(9.3, abs=0.4)


@pytest.mark.parametrize("color", COLORS)
def test_text_on_a_button_can_be_read_in_both_schemes_and_under_the_pointer(color):
    for shades in (light(color), dark(color)):
        assert contrast(shades.on_accent, shades.accent) >= 4.5
        assert contrast(shades.on_accent, shades.hover) >= 4.5


@pytest.mark.parametrize("color", COLORS)
def test_a_link_can_be_read_on_every_surface_it_stands_on(color):
    on_light, on_dark = light(color), dark(color)
    assert min(contrast(on_light.link, ground) for ground in ("#FFFFFF", "#F5F6F9", on_light.soft)) >= 4.5
    assert min(contrast(on_dark.link, ground) for ground in ("#0F131B", "#141924", on_dark.soft)) >= 4.5


@pytest.mark.parametrize("color", COLORS)
def test_a_button_stands_out_on_a_dark_page(color):
    assert contrast(dark(color).accent, "#141924") >= 3


def test_dark_text_where_white_cannot_be_read():
    assert branding.text_on("#1F4FD1") == "#FFFFFF"
    assert branding.text_on("#F5C518") == "#131A2C"
    assert branding.text_on("#808080") == "#000000"


def test_a_colour_that_is_lost_on_paper_is_told_apart():
    assert branding.is_seen_on_paper("#F5C518")
    assert not branding.is_seen_on_paper("#F4F4F0")


def test_the_stylesheet_replaces_our_colour_in_light_and_in_dark():
    light_line, system_dark, chosen_dark = branding.stylesheet("#0B5563").splitlines()
    assert light_line == ":root { --accent: #0B5563; --accent-hover: #094651; --accent-on: #FFFFFF; --accent-ink: #0B5563; --accent-soft: #EBF1F3; }"
    assert system_dark.startswith('@media (prefers-color-scheme: dark) { :root:not([data-theme="light"]) { --accent: #')
    assert chosen_dark.startswith(':root[data-theme="dark"] { --accent: #')
    assert dark("#0B5563").link in system_dark


@pytest.mark.parametrize("color", ["red", "#0B5563; } body { display: none", "#0B556", "", "#0B5563\n"])
def test_what_is_no_colour_gets_into_no_stylesheet(color):
    with pytest.raises(ValueError, match="is not a colour"):
        branding.stylesheet(color)
