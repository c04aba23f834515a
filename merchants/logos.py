"""A logo, from whatever was uploaded to a PNG of our own making.

Nothing of the upload is ever served: it is decoded and drawn anew, so that scripts, profiles, comments and
whatever follows the picture stay behind.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO

from django.utils.translation import gettext_lazy as _
from PIL import ExifTags, Image, ImageFile, ImageOps, UnidentifiedImageError

MAX_BYTES = 2 * 1024 * 1024
MAX_SIDE = 512  # px, of what is kept
MAX_PIXELS = 16_000_000  # of what is opened: 64 MB in memory; known before any pixel is decoded
FORMATS = ("PNG", "JPEG", "WEBP")


# Pillow's decoders raise all of these for what is not what its first bytes say.
UNREADABLE = (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, struct.error)
ORIENTATION = ExifTags.Base.Orientation
_pillow = threading.Lock()
TOO_MANY_PIXELS = _("This picture has more than 16 million pixels. 512 by 512 is enough; make it smaller.")


class NotALogo(ValueError):
    """This file cannot be the logo; the text says why and what to do, for people."""


def made_from(upload: bytes) -> bytes:
    """The PNG, at most 512 px a side, made from the bytes of an uploaded PNG, JPEG or WebP. NotALogo otherwise."""
    if len(upload) > MAX_BYTES:
        raise NotALogo(_("This file is larger than 2 MB. Choose a smaller one."))
    unreadable = NotALogo(_("This is not a PNG, JPEG or WebP picture that can be opened. Save it as PNG and choose that file."))
    try:
        with Image.open(BytesIO(upload), formats=FORMATS) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise NotALogo(TOO_MANY_PIXELS)
            with _whole_files_only():
                return _drawn_anew(picture)
    except NotALogo:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise NotALogo(TOO_MANY_PIXELS) from error
    except UNREADABLE as error:
        raise unreadable from error


@contextmanager
def _whole_files_only() -> Iterator[None]:
    """WeasyPrint tells Pillow, for the whole process, to make do with files that end too early; here they are refused."""
    with _pillow:
        before, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, False
        try:
            yield
        finally:
            ImageFile.LOAD_TRUNCATED_IMAGES = before


def _drawn_anew(picture: Image.Image) -> bytes:
    orientation = picture.getexif()
    clean = picture.convert("RGBA")
    clean.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    upright = Image.new("RGBA", clean.size)
    upright.paste(clean)  # pixels alone: no profile, no comment, no text chunk comes along
    upright.getexif().update({ORIENTATION: orientation.get(ORIENTATION, 1)})
    ImageOps.exif_transpose(upright, in_place=True)
    out = BytesIO()
    upright.save(out, "PNG", optimize=True)
    return out.getvalue()
