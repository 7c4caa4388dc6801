"""Files that are small and ask for much, or are not what they say: what a visitor's browser may send by mistake, or on
purpose. All are made here; none is larger than some megabytes."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
import soundfile
from PIL import Image

RATE = 16_000
TEN_HOURS = 36_000 * RATE
"""Samples."""


def _zeros(count: int) -> bytes:
    """So many zero bytes, compressed: about a thousandth of it."""
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(min(1 << 20, count - start))) for start in range(0, count, 1 << 20)]
    return b"".join([*parts, packer.flush()])


def _png(width: int, height: int, *, colour: int = 2, body: bytes = b"", before: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    extra = chunk(before[:4], before[4:]) * 3 if before else b""
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def _saved(kind: str, size: tuple[int, int] = (10, 10), mode: str = "RGB", **options: object) -> bytearray:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **options)
    return bytearray(file.getvalue())


def _patched(content: bytearray, position: int, value: bytes) -> bytes:
    content[position : position + len(value)] = value
    return bytes(content)


def _icon(inner: bytes) -> bytes:
    """An icon of 16 x 16 by its entry, with a picture of any size in it."""
    return struct.pack("<HHHBBBBHHII", 0, 1, 1, 16, 16, 0, 0, 1, 32, len(inner), 22) + inner


def _tiff_of_one_tile(side: int) -> bytes:
    """10 x 10 pixels, cut from one tile."""
    tile = _zeros(side * side)
    tags = {256: 10, 257: 10, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 324: 0, 325: len(tile)}
    tags[324] = 8 + 2 + 12 * len(tags) + 4  # where the tile stands
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + tile


def _gif_of_a_huge_frame() -> bytes:
    content = _saved("GIF", mode="P")
    return _patched(content, content.find(b",\0\0\0\0") + 5, struct.pack("<HH", 60_000, 60_000))


def _jpeg_of_many_scans() -> bytes:
    content = _saved("JPEG", (700, 700), progressive=True)
    last, end = content.rfind(b"\xff\xda"), content.rfind(b"\xff\xd9")
    return bytes(content[:end] + content[last:end] * 20_000 + content[end:])


def _jpeg2000_that_lies() -> bytes:
    content = _saved("JPEG2000", (3_000, 2_000))
    return _patched(content, content.find(b"ihdr") + 4, struct.pack(">II", 10, 10))


PICTURE_BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing.png": (lambda: b"", "picture.unreadable"),
    "header.png": (lambda: b"\x89PNG\r\n\x1a\n", "picture.unreadable"),
    "cut.png": (lambda: _png(300, 300, body=_zeros(270_300))[:-80], "picture.unreadable"),
    "cut.jpg": (lambda: bytes(_saved("JPEG", (300, 300))[:400]), "picture.unreadable"),
    "sound.png": (lambda: wav(bytes(3200)), "picture.unreadable"),
    "page.png": (lambda: b"<html><script>alert(1)</script></html>", "picture.unreadable"),
    "vector.png": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "picture.unreadable"),
    "program.png": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "picture.unreadable"),
    "side-of-100000.png": (lambda: _png(100_000, 100_000, body=_zeros(5_000_000)), "picture.too_large"),
    "170-million-pixels.png": (lambda: _png(13_000, 13_000, colour=0, body=_zeros(169_013_000)), "picture.too_large"),
    "icon.ico": (lambda: _icon(_png(6_000, 6_000, colour=6, body=_zeros(144_006_000))), "picture.too_large"),
    "icon-of-100000.ico": (lambda: _icon(_png(100_000, 100_000, colour=6)), "picture.too_large"),
    "tile.tiff": (lambda: _tiff_of_one_tile(12_000), "picture.too_large"),
    "frame.gif": (_gif_of_a_huge_frame, "picture.too_large"),
    "flat.webp": (lambda: bytes(_saved("WEBP", (8_000, 5_000), lossless=True, method=0)), "picture.too_large"),
    "header.bmp": (lambda: _patched(_saved("BMP"), 18, struct.pack("<ii", 100_000, 100_000)), "picture.too_large"),
    "header.ppm": (lambda: b"P6 100000 100000 255\n", "picture.too_large"),
    "digits.ppm": (lambda: b"P6 " + b"1" * 1_000_000, "picture.unreadable"),
    "comment.png": (lambda: _png(10, 10, before=b"zTXta\0\0" + _zeros(80_000_000)), "picture.unreadable"),
    "profile.png": (lambda: _png(10, 10, before=b"iCCPa\0\0" + _zeros(80_000_000)), "picture.unreadable"),
    "scans.jpg": (_jpeg_of_many_scans, "picture.unreadable"),
    "lies.jp2": (_jpeg2000_that_lies, "picture.unreadable"),
}
"""By file name: what makes it, and the key of the sentence that refuses it."""


def wav(
    samples: bytes, *, rate: int = RATE, channels: int = 1, bits: int = 16, kind: int = 1, stated: int | None = None
) -> bytes:
    """A wave file that states what it is told to.

    Args:
        kind: 1 of whole numbers, 3 of floats.
        stated: bytes of samples by the header.
    """
    stated = len(samples) if stated is None else stated
    frame = channels * bits // 8 & 0xFFFF
    form = struct.pack("<IHHIIHH", 16, kind, channels, rate, rate * frame & 0xFFFFFFFF, frame, bits)
    return b"RIFF" + struct.pack("<I", 36 + stated) + b"WAVEfmt " + form + b"data" + struct.pack("<I", stated) + samples


def _noise(seconds: float) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(int(seconds * RATE))


def _encoded(kind: str, samples: np.ndarray) -> bytearray:
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format=kind)
    return bytearray(file.getvalue())


def _flac(samples: np.ndarray, stated: int) -> bytes:
    content = _encoded("FLAC", samples)
    header = int.from_bytes(content[18:26], "big")  # the lowest 36 bits are the number of samples
    return _patched(content, 18, (header >> 36 << 36 | stated).to_bytes(8, "big"))


def _ogg_of_ten_hours() -> bytes:
    content = _encoded("OGG", _noise(1))
    last = content.rfind(b"OggS")
    content[last + 6 : last + 14] = struct.pack("<q", TEN_HOURS)
    content[last + 22 : last + 26] = bytes(4)
    check = 0
    for byte in content[last:]:
        check ^= byte << 24
        for _ in range(8):
            check = (check << 1 ^ 0x04C11DB7 if check & 0x80000000 else check << 1) & 0xFFFFFFFF
    return _patched(content, last + 22, struct.pack("<I", check))


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("sound.wav", bytes(100_000_000))
    return file.getvalue()


def _floats(value: float) -> bytes:
    samples = _noise(0.5).astype(np.float32)
    samples[4000] = value
    return wav(samples.tobytes(), bits=32, kind=3)


SOUND_BOMBS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing.wav": (lambda: b"", "sound.empty"),
    "header.wav": (lambda: wav(bytes(0)), "sound.empty"),
    "cut.wav": (lambda: wav(bytes(3200))[:30], "sound.unreadable"),
    "picture.wav": (lambda: bytes(_saved("PNG")), "sound.unreadable"),
    "archive.wav": (_zip, "sound.unreadable"),
    "page.wav": (lambda: b"<html><script>alert(1)</script></html>", "sound.unreadable"),
    "playlist.wav": (lambda: b"#EXTM3U\n#EXTINF:10,\nfile:///etc/hostname\n", "sound.unreadable"),
    "hour.wav": (lambda: wav(bytes(360_000), rate=100, bits=8), "sound.too_long"),
    "ten-hours.flac": (lambda: _flac(_noise(1), TEN_HOURS), "sound.too_long"),
    "ten-hours.ogg": (_ogg_of_ten_hours, "sound.too_long"),
    "silence.flac": (lambda: _flac(np.zeros(600 * RATE), 0), "sound.too_long"),  # of unstated length
    "frames.mp3": (lambda: b"\xff\xfb\x90\x00" * 500_000, "sound.unreadable"),
    "tags.mp3": (lambda: b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(range(256)) * 4000, "sound.unreadable"),
    "nan.wav": (lambda: _floats(np.nan), "sound.broken"),
    "infinite.wav": (lambda: _floats(np.inf), "sound.broken"),
    "rate-0.wav": (lambda: wav(bytes(32_000), rate=0), "sound.unreadable"),
    "rate-1.wav": (lambda: wav(bytes(32), rate=1), "sound.unreadable"),
    "rate-1000000000.wav": (lambda: wav(bytes(32_000), rate=10**9), "sound.unreadable"),
    "channels-0.wav": (lambda: wav(bytes(32_000), channels=0), "sound.unreadable"),
    "channels-1000.wav": (lambda: wav(bytes(800_000), channels=1000), "sound.unreadable"),
    "channels-65535.wav": (lambda: wav(bytes(320_000), channels=65_535), "sound.unreadable"),
    "bits-0.wav": (lambda: wav(bytes(32_000), bits=0), "sound.unreadable"),
    "chunk.wav": (lambda: b"RIFF\xff\xff\xff\xffWAVELIST\xff\xff\xff\x7f" + bytes(1000), "sound.unreadable"),
    "words.mp3": (lambda: b"these are words " * 100_000, "sound.unreadable"),
    "short.wav": (lambda: wav(_noise(0.005).tobytes()[:160]), "sound.too_short"),
}
"""By file name: what makes it, and the key of the sentence that refuses it."""


_ODD = (
    "..",
    "...",
    ".hidden",
    "../../etc/passwd",
    "..\\..\\boot.ini",
    "%2e%2e%2fsecret",
    "/etc/passwd",
    "a\nb",
    "a\r\nX-Header: 1",
    "a\tb",
    "a\x00b",
    "a\x1b[31mb",
    'quote".wav',
    "quote'.wav",
    "semi;colon",
    "${7*7}",
    "{{7*7}}",
    "$(touch pwned)",
    "`touch pwned`",
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "&lt;b&gt;",
    "-rf",
    "--help",
    "file:///etc/passwd",
    "http://127.0.0.1/x",
    "concat:a|b",
    "pipe:0",
    "%s%n%x",
    "a?b=c",
    "a#b",
    "a%00b",
    "CON",
    "nul.wav",
    "name.raw",
    "name.wav.png.exe",
    "no extension",
    "  spaces  ",
    "声音",
    "שלום",
    "\u202eexe.gpj",
    "\u200b\u200b",
    "e\u0301",
    "\ufeffmark",
    "😀" * 20,
    "x" * 300,
    "好" * 120,
    "*",
    "?",
    "|",
    "\\",
    "~",
    "[a-z]",
    "a,b",
    "a=b",
    "@file",
    "%",
    "+",
    "tmp",
    ".",
)
ODD_NAMES = tuple(dict.fromkeys(f"{name}{ending}" for name in _ODD for ending in ("", ".wav", ".PNG", ".tar.gz")))
"""What a visitor's file may be called."""
