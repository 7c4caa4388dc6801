"""Maps of the items, one a layer, with one selection: the frame, and all that the script draws."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ui.words import say, translated

if TYPE_CHECKING:
    from analysis.item_vectors import ItemVectors
    from analysis.layouts import Layout

NEIGHBOURS: Final = 6
"""That are shown of an item."""
SIDE: Final = 48
"""Pixels of a thumbnail."""
COLUMNS: Final = 16
"""Thumbnails in a row of the sheet."""
LONGEST_NAME: Final = 160
"""Characters of an item's name."""


def template() -> str:
    """The frame, in the language that is spoken. The script fills it."""
    return (
        '<div class="layer-maps" hidden>'
        '<div class="sets"><label class="by"><span></span> <select></select></label>'
        '<label class="item"><span></span> <select></select></label></div>'
        '<p class="told small" role="status" aria-live="polite"></p>'
        '<div class="large"><figure><figcaption></figcaption>'
        '<canvas tabindex="0" role="slider" aria-valuemin="1"></canvas></figure><section class="card"></section></div>'
        '<ul class="kinds"></ul><div class="small-maps"></div>'
        '<details class="table"><summary></summary><div class="box" role="region" tabindex="0"></div></details></div>'
        f'<p class="waiting notice empty">{escape(say("layers.maps_empty"))}</p>'
    )


def drawn(
    side: ItemVectors,
    layouts: Sequence[Layout],
    near: NDArray[np.int64],
    *,
    title: str,
    media: str,
    note: str = "",
    thumbnails: str = "",
    credits: Sequence[str] = (),
) -> dict[str, Any]:
    """All that the script draws.

    Args:
        layouts: of each layer, from 0.
        near: (layers, items, k), the nearest other items of each.
        title: what the side is.
        media: name of the bundled set whose thumbnails and clips can be fetched; empty for none.
        note: what is still being made.
        thumbnails: a sheet of one's own items as a `data:` address.
        credits: source and licence of each item of the set, or one for all.
    """
    points = np.stack([placed(one.points) for one in layouts])
    return {
        "phrases": _phrases(),
        "title": title,
        "note": note,
        "layers": len(layouts),
        "items": len(side),
        "index": side.index.tolist(),
        "names": [name[:LONGEST_NAME] for name in side.names],
        "labels": [_label(kind, values) for kind, values in side.labels.items()],
        "points": _encoded(points.astype("<u2")),
        "near": _encoded(near.astype("<u2")),
        "k": int(near.shape[2]),
        "quality": [quality(one) for one in layouts],
        "media": media,
        "modality": side.modality,
        "thumbnails": thumbnails,
        "credits": list(credits),
        "columns": COLUMNS,
        "side": SIDE,
    }


def placed(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """(items, 2) -> the same within 0 to 65535 with one scale for both axes, around the middle."""
    low, high = points.min(axis=0), points.max(axis=0)
    reach = float((high - low).max()) or 1.0
    return np.rint(65535 * (0.5 + (points - (low + high) / 2) / reach)).clip(0, 65535)


def quality(layout: Layout) -> str:
    """How far a map may be believed, and what it was made with."""
    told = {"trust": _share(layout.trustworthiness), "continuity": _share(layout.continuity), "k": layout.k}
    settings = layout.settings
    match layout.method:
        case "pca":
            return say("layers.quality_pca", share=f"{100 * float(settings['explained']):.0f} %", **told)
        case "umap":
            chosen = {"neighbours": settings["n_neighbors"], "distance": settings["min_dist"], "seed": settings["seed"]}
            return say("layers.quality_umap", **chosen, **told)
        case _:
            return say("layers.quality_tsne", perplexity=f"{settings['perplexity']:.3g}", seed=settings["seed"], **told)


def _share(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.2f}"


def _label(kind: str, values: Sequence[str]) -> dict[str, Any]:
    classes, codes = np.unique(np.asarray(values), return_inverse=True)
    return {
        "name": label_name(kind),
        "classes": [class_name(kind, str(one)) for one in classes],
        "codes": codes.tolist(),
    }


def label_name(kind: str) -> str:
    """What a kind of label is called."""
    return say("layers.label_length") if kind == "length" else translated(kind)


def class_name(kind: str, name: str) -> str:
    """What a label is called."""
    if kind == "length":
        return say("layers.quarter", number=name)
    return translated(name.replace("_", " ").strip()) or say("layers.no_label")


def sheet(pictures: Sequence[Any]) -> str:
    """Thumbnails in rows of `COLUMNS` as a `data:` address of one WebP."""
    from PIL import Image

    rows = -(-len(pictures) // COLUMNS)
    whole = Image.new("RGBA", (COLUMNS * SIDE, rows * SIDE))
    for number, picture in enumerate(pictures):
        edge = min(picture.size)
        left, top = (picture.width - edge) // 2, (picture.height - edge) // 2
        small = picture.crop((left, top, left + edge, top + edge)).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
        whole.paste(small, ((number % COLUMNS) * SIDE, number // COLUMNS * SIDE))
    file = io.BytesIO()
    whole.save(file, "webp", quality=80, method=2)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


@lru_cache(maxsize=4)
def bundled_sheet(items: str) -> str:
    """Thumbnails of a bundled set; empty where it has none."""
    if items == "things":
        from PIL import Image

        from analysis.items.things import Things

        things = Things.open()
        with Image.open(things.atlas_path) as atlas:
            whole = atlas.convert("RGBA")
            return sheet([whole.crop(things.box(one)) for one in things.things])
    if items == "photographs":
        from analysis.items.photographs import photographs

        return sheet([one.open() for one in photographs()])
    return ""


@lru_cache(maxsize=256)
def bundled_clip(items: str, index: int) -> str:
    """A sound of a bundled set as a `data:` address of a WAV; empty where it has none.

    Raises:
        ValueError: no such item.
    """
    import soundfile

    from analysis.items.manifest import RATE

    if items == "things":
        from analysis.item_sets import VOICE

        things = _things()
        samples = things.speech(things.things[_checked(index, len(things.things))], VOICE)
    elif items == "prompts":
        prompts = _prompts()
        samples = prompts.sound(prompts.prompts[_checked(index, len(prompts.prompts))])
    else:
        return ""
    file = io.BytesIO()
    soundfile.write(file, samples, RATE, format="WAV", subtype="PCM_16")
    return f"data:audio/wav;base64,{base64.b64encode(file.getvalue()).decode()}"


def fetch_media(asked: object) -> str:
    """Thumbnails or a clip of a bundled set, as a `data:` address; cheap, for anybody may call it.

    Args:
        asked: from the page: `items`, and `index` of the item whose clip is wanted; without it, all thumbnails.

    Raises:
        ValueError: it asks for nothing that there is.
    """
    items = asked.get("items") if isinstance(asked, Mapping) else None
    index = asked.get("index") if isinstance(asked, Mapping) else None
    if not isinstance(items, str) or len(items) > 100:
        raise ValueError(say("layers.no_media"))
    if index is None:
        return bundled_sheet(items) if items in ("things", "photographs") else ""
    if not isinstance(index, int) or isinstance(index, bool) or items not in ("things", "prompts"):
        raise ValueError(say("layers.no_media"))
    return bundled_clip(items, index)


@lru_cache(maxsize=1)
def _things() -> Any:
    from analysis.items.things import Things

    return Things.open()


@lru_cache(maxsize=1)
def _prompts() -> Any:
    from analysis.items.prompts import Prompts

    return Prompts.open()


def _checked(index: int, count: int) -> int:
    if not 0 <= index < count:
        raise ValueError(say("layers.no_media"))
    return index


def _encoded(numbers: NDArray[Any]) -> str:
    return base64.b64encode(numbers.tobytes()).decode()


def _phrases() -> dict[str, str]:
    """What the script says; it fills in the places in braces."""
    return {
        "by": say("layers.colour_by"),
        "item": say("layers.item"),
        "none": say("layers.item_none"),
        "layer": say("layers.layer", layer="{layer}"),
        "input": say("layers.layer_input"),
        "map": say("layers.map_label", items="{items}", layer="{layer}"),
        "start": say("layers.point"),
        "told": say("layers.told", name="{name}", layer="{layer}", near="{near}"),
        "near": say("layers.near", layer="{layer}"),
        "agreed": say("layers.agreed", same="{same}", k="{k}", label="{label}"),
        "play": say("layers.play"),
        "source": say("layers.source", source="{source}"),
        "playing": say("layers.playing"),
        "absent": say("layers.absent"),
        "number": say("layers.number", number="{number}"),
        "classes": say("layers.classes"),
        "unlabelled": say("layers.unlabelled"),
        "table": say("layers.maps_table"),
    }
