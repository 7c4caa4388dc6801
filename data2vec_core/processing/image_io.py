"""Pictures as people have them (files, arrays, PIL images of any mode) to RGB, and label maps to class ids."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import IcoImagePlugin, Image, ImageOps, JpegImagePlugin, TiffImagePlugin, UnidentifiedImageError
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH

from data2vec_core.labels import IGNORED_PIXEL

ImageSource: TypeAlias = str | Path | bytes | BinaryIO | Image.Image | NDArray[Any]

FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "AVIF", "ICO", "JPEG2000")
"""Raster formats that are opened (JPEG brings MPO, of some phones). Vector formats are left out: they run a program."""
DEFAULT_MAX_PIXELS: Final = 60_000_000
"""Width times height: above what phones take, below what exhausts a small machine."""

MAX_SCANS: Final = 100
"""Passes over the whole picture that a progressive JPEG may take; ten are usual. A pass of fifty bytes takes as long as
one over all pixels, so that a small file could keep a processor busy for hours."""

_JPEG_MARKER = re.compile(rb"\xff+[\xc0-\xcf\xd9-\xfe]", re.DOTALL)  # in coded data, 0xff is followed by 0 or D0 to D7
_ICON = b"\0\0\1\0"
_HEAD: Final = 30  # bytes of a file that tell what it is, and how large a WebP picture
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9

# What decoders raise for damaged files, beside OSError: each format has its own habits.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, struct.error, zlib.error)


class ImageError(ValueError):
    """A picture cannot be used; the message says why in a sentence for the person who brought it."""


class NotImageError(ImageError):
    """There is no file, or it is not a picture that can be decoded."""


class ImageTooLargeError(ImageError):
    """The picture has more pixels than allowed."""


def load_image(source: ImageSource, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> Image.Image:
    """Decode a picture, turn it upright and make it RGB.

    The orientation that a camera noted (EXIF) is applied; transparency is laid on white, as the reference does; of an
    animation the first frame counts; 16-bit grey is scaled to 8 bits.

    Args:
        source: the path of a picture file, its bytes, an open binary file, a PIL image, or an array: (height, width)
            or (height, width, channels) with 1 to 4 channels, unsigned integers over their full range or floats from
            0 to 1.
        max_pixels: larger pictures are refused, by their header, before they are decoded.

    Raises:
        ImageError: (a ValueError) as `NotImageError` or `ImageTooLargeError`.
    """
    image = _open(source, max_pixels)
    try:
        _check_decoding(image, max_pixels)
        is_own = image is not source  # then it is turned in its place: a large picture is not held twice
        return _to_rgb(_upright(image, in_place=is_own))
    except _DAMAGE as error:
        if isinstance(error, ImageError):
            raise
        raise NotImageError("The picture is damaged and cannot be read.") from error


def image_size(path: str | Path, *, max_pixels: int = DEFAULT_MAX_PIXELS) -> tuple[int, int]:
    """(height, width) of a picture file as it is stored, by its header: nothing is decoded.

    Raises:
        ImageError: (a ValueError) no file, no picture, or one of more than `max_pixels`.
    """
    with _open(path, max_pixels) as image:
        return image.height, image.width


def load_map(
    source: ImageSource,
    *,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    colours: Mapping[tuple[int, int, int], int] | None = None,
) -> NDArray[np.int64]:
    """(height, width) class ids of a label map.

    One number a pixel is the id as it is: the index of a palette, whatever its colour, or a grey value, not scaled. A
    map in colours needs to be told what they stand for. The orientation that a camera noted is applied, as to photos.

    Args:
        source: as of `load_image`; of arrays, integers or booleans, or (height, width, 3) uint8 with `colours`.
        max_pixels: larger maps are refused, by their header, before they are decoded.
        colours: class ids by (red, green, blue), 0 to 255. A pixel that is not opaque counts as `IGNORED_PIXEL`.

    Raises:
        ImageError: not a picture, too large, in colours that nobody named, or with one that stands for no class.
    """
    if isinstance(source, np.ndarray):
        array = source
        _check_size(array, max_pixels)
    else:
        image = _open(source, max_pixels)
        try:
            _check_decoding(image, max_pixels)
            image = _upright(image, in_place=image is not source)
            if len(image.getbands()) > 1 and colours is not None:
                image = image.convert("RGBA" if image.has_transparency_data else "RGB")
            array = np.asarray(image)
        except _DAMAGE as error:
            if isinstance(error, ImageError):
                raise
            raise NotImageError("The label map is damaged and cannot be read.") from error
    if colours is not None and array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8:
        return _ids_of_colours(array, colours)
    if array.ndim != 2 or array.dtype.kind not in "iub":
        raise NotImageError(
            f"A label map holds one whole number a pixel, got shape {array.shape} of {array.dtype}. Save it with a "
            "palette or in grey, the class ids as values."
        )
    return array.astype(np.int64)


def _ids_of_colours(pixels: NDArray[np.uint8], colours: Mapping[tuple[int, int, int], int]) -> NDArray[np.int64]:
    """(height, width, 3 or 4) to (height, width)."""
    packed = pixels[..., 0].astype(np.int32) << 16 | pixels[..., 1].astype(np.int32) << 8 | pixels[..., 2]
    ids = np.full(packed.shape, -1, dtype=np.int64)
    for (red, green, blue), class_id in colours.items():
        ids[packed == (red << 16 | green << 8 | blue)] = class_id
    if pixels.shape[2] == 4:
        ids[pixels[..., 3] < 255] = IGNORED_PIXEL
    if (is_unknown := ids < 0).any():
        found, counts = np.unique(packed[is_unknown], return_counts=True)
        raise NotImageError(
            f"The label map has {len(found)} colours that stand for no class, #{found[counts.argmax()]:06x} in "
            f"{counts.max()} of its pixels. JPEG and scaling blend colours: use PNG at the picture's own size."
        )
    return ids


def _open(source: ImageSource, max_pixels: int) -> Image.Image:
    """The picture, its size checked; a file is not decoded yet."""
    if isinstance(source, np.ndarray):
        _check_size(source, max_pixels)
        return _from_array(source)
    if isinstance(source, Image.Image):
        image = source
    else:
        if isinstance(source, (str, Path)) and not Path(source).is_file():
            raise NotImageError(f"There is no file {Path(source).name or str(source)!r}.")
        if not isinstance(source, (str, Path, bytes, bytearray)) and not hasattr(source, "read"):
            raise NotImageError(
                f"A picture is a file, its bytes, a PIL image or an array, not {type(source).__name__}."
            )
        file = io.BytesIO(source) if isinstance(source, (bytes, bytearray)) else source
        if not isinstance(file, (str, Path)) and not file.seekable():
            file = io.BytesIO(file.read())
        try:
            _check_unopened(file, max_pixels)
            image = Image.open(file, formats=FORMATS)
        except Image.DecompressionBombError:
            raise ImageTooLargeError(f"The picture is too large; at most {max_pixels} pixels are read.") from None
        except UnidentifiedImageError:
            raise NotImageError("This file is not a picture that can be read (PNG, JPEG and WebP can).") from None
        except _DAMAGE as error:
            if isinstance(error, ImageError):
                raise
            raise NotImageError("The picture is damaged and cannot be read.") from error
    _check_size(image, max_pixels)
    return image


def _check_unopened(source: str | Path | BinaryIO, max_pixels: int) -> None:
    """Refuse what would take memory as soon as Pillow opens it: an icon, which it decodes, and WebP, for which it asks
    for two pictures' room.

    Raises:
        ImageTooLargeError: a picture inside has more pixels than it may have.
    """
    with ExitStack() as opened:
        file = opened.enter_context(open(source, "rb")) if isinstance(source, (str, Path)) else source
        here = file.tell()
        head = file.read(_HEAD)
        file.seek(here)
        if head.startswith(_ICON):
            icon = IcoImagePlugin.IcoFile(file)
            for index in range(len(icon.entry)):
                _check_size(icon.frame(index), max_pixels)
            file.seek(here)
        elif size := _webp_size(head):
            _require_pixels(*size, max_pixels)


def _webp_size(head: bytes) -> tuple[int, int] | None:
    """(width, height) that the head of a WebP file states; None of anything else (RFC 9649, section 2)."""
    if len(head) < _HEAD or head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return None
    match head[12:16]:
        case b"VP8X":  # extended: 24 bits each, less one
            return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
        case b"VP8L":  # lossless: 14 bits each, less one, after a mark
            bits = int.from_bytes(head[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case b"VP8 ":  # lossy: 14 bits each, the upper two of 16 are a scale
            return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF
    return None


def _check_decoding(image: Image.Image, max_pixels: int) -> None:
    """Refuse what takes far more to decode than a picture of its size does.

    Raises:
        ImageTooLargeError: parts of the file state more pixels than the whole may have.
        NotImageError: a JPEG of more passes than any encoder makes.
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # a tile may be larger than the picture that it is cut to
        width, height = (image.tag_v2.get(tag, 1) for tag in (TILEWIDTH, TILELENGTH))
        if not isinstance(width, int) or not isinstance(height, int) or width * height > max_pixels:
            raise ImageTooLargeError(f"The picture is too large: its tiles have more than {max_pixels} pixels.")
    elif isinstance(image, JpegImagePlugin.JpegImageFile) and image.fp is not None:
        here = image.fp.tell()
        image.fp.seek(0)
        scans = _count_scans(image.fp.read())
        image.fp.seek(here)
        if scans > MAX_SCANS:
            raise NotImageError(
                "The picture is damaged: it takes more passes to decode than any camera or program makes."
            )


def _count_scans(jpeg: bytes) -> int:
    """How often the decoder is told to go over the picture. What stands in segments, as thumbnails do, is left out."""
    scans, position = 0, 2
    while (found := _JPEG_MARKER.search(jpeg, position)) is not None and (marker := found[0][-1]) != _END_OF_IMAGE:
        scans += marker == _START_OF_SCAN
        position = found.end() + int.from_bytes(jpeg[found.end() : found.end() + 2], "big")  # the segment's own length
    return scans


def _upright(image: Image.Image, *, in_place: bool) -> Image.Image:
    """The picture as its camera was held."""
    if not in_place:
        return ImageOps.exif_transpose(image)
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _check_size(image: Image.Image | NDArray[Any], max_pixels: int) -> None:
    height, width = (image.height, image.width) if isinstance(image, Image.Image) else (*image.shape, 1, 1)[:2]
    _require_pixels(width, height, max_pixels)


def _require_pixels(width: int, height: int, max_pixels: int) -> None:
    if width * height > max_pixels:
        raise ImageTooLargeError(
            f"The picture is too large: {width} x {height} pixels, and at most {max_pixels} in all are read."
        )


def _from_array(array: NDArray[Any]) -> Image.Image:
    if array.ndim not in (2, 3) or array.size == 0 or (array.ndim == 3 and not 1 <= array.shape[2] <= 4):
        raise NotImageError(
            f"A picture as an array is (height, width) or (height, width, 1 to 4 channels), got {array.shape}."
        )
    if array.dtype.kind == "b":
        array = array.astype(np.uint8) * 255
    elif array.dtype.kind == "f":
        if not (np.isfinite(array).all() and array.min() >= 0 and array.max() <= 1):
            raise NotImageError("Pixels given as floats should lie between 0 and 1.")
        array = np.rint(array * 255).astype(np.uint8)
    elif array.dtype == np.uint16:
        array = _to_8_bits(array)
    elif array.dtype != np.uint8:
        raise NotImageError(f"Pixels should be uint8, uint16 or floats, got {array.dtype}.")
    return Image.fromarray(np.ascontiguousarray(array[..., 0] if array.shape[2:] == (1,) else array))


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F" or image.mode.startswith("I"):
        values = np.asarray(image)
        if image.mode == "F":
            return _from_array(values).convert("RGB")
        if values.min() < 0 or values.max() > 65535:
            raise NotImageError("Grey pictures with more than 16 bits a pixel are not read.")
        image = Image.fromarray(_to_8_bits(values))
    if "A" in image.getbands() or "a" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")


def _to_8_bits(values: NDArray[Any]) -> NDArray[np.uint8]:
    """16-bit values scaled to 8 bits: 65535 becomes 255."""
    return np.rint(values / 257).astype(np.uint8)
