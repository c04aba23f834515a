"""Logos: whatever is uploaded, what is kept is a small PNG of our own making."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import pytest
from PIL import ExifTags, Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from merchants import logos

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def picture(kind: str = "PNG", size: tuple[int, int] = (800, 400), mode: str = "RGB", **options) -> bytes:
    out = BytesIO()
    Image.new(mode, size, (11, 85, 99) if mode == "RGB" else None).save(out, kind, **options)
    return out.getvalue()


def bomb(side: int) -> bytes:
    """A PNG of some hundred bytes that says it is `side` pixels square."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


def opened(png: bytes) -> Image.Image:
    return Image.open(BytesIO(png), formats=["PNG"])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_becomes_a_png_of_at_most_512_pixels(kind):
    made = opened(logos.made_from(picture(kind)))
    assert (made.format, made.size) == ("PNG", (512, 256))
    red, green, blue, alpha = made.convert("RGBA").getpixel((100, 100))
    assert (abs(red - 11) <= 3, abs(green - 85) <= 3, abs(blue - 99) <= 3, alpha) == (True, True, True, 255)


def test_a_small_picture_is_not_blown_up():
    assert opened(logos.made_from(picture(size=(64, 64)))).size == (64, 64)


def test_what_is_see_through_stays_see_through():
    assert opened(logos.made_from(picture(mode="RGBA"))).getpixel((10, 10)) == (0, 0, 0, 0)


@pytest.mark.parametrize("mode", ["P", "1", "L", "I;16", "LA"])
def test_every_kind_of_png_is_read(mode):
    assert opened(logos.made_from(picture(mode=mode))).mode == "RGBA"


def test_a_photograph_taken_sideways_is_turned_upright_and_its_place_forgotten():
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Artist] = "Inês Matos, 38.7223 N 9.1393 W"
    made = logos.made_from(picture("JPEG", exif=exif))
    assert opened(made).size == (256, 512)
    assert b"38.7223" not in made
    assert not opened(made).getexif()


def test_nothing_rides_along():
    notes = PngInfo()
    notes.add_text("Comment", "<script>alert(1)</script>")
    made = logos.made_from(picture(pnginfo=notes) + b"PK\x03\x04 an archive behind the picture")
    assert b"script" not in made
    assert b"archive" not in made


HOSTILE = {
    "svg": SVG,
    "empty": b"",
    "gif head": b"GIF89a" + b"\0" * 100,
    "cut png": picture()[:200],
    "cut jpeg": picture("JPEG")[:300],
    "cut webp": picture("WEBP")[:60],
    "gif": picture("GIF"),
    "bmp": picture("BMP"),
    "png of noise": b"\x89PNG\r\n\x1a\n" + b"\xff" * 400,
}


@pytest.mark.parametrize("upload", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_png_jpeg_or_webp_is_refused(upload):
    with pytest.raises(logos.NotALogo, match="not a PNG, JPEG or WebP"):
        logos.made_from(upload)


@pytest.mark.parametrize("side", [4001, 10_000, 12_000, 50_000])
def test_a_picture_that_would_fill_the_memory_is_refused_before_it_is_decoded(side):
    with pytest.raises(logos.NotALogo, match="more than 16 million pixels"):
        logos.made_from(bomb(side))


def test_a_file_over_two_megabytes_is_not_even_opened():
    with pytest.raises(logos.NotALogo, match="larger than 2 MB"):
        logos.made_from(picture() + b"\0" * logos.MAX_BYTES)


def test_a_cut_file_is_refused_though_another_library_told_pillow_to_be_lenient(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(logos.NotALogo, match="not a PNG, JPEG or WebP"):
        logos.made_from(HOSTILE["cut png"])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
