"""Maps of the view "Layers": those that are kept, those that take no time, and the slow ones as they come to be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.inside import layers_sections as sections
from ui.inside.layers_sides import Kept, Pair, map_keys
from ui.views import layers_maps
from ui.words import say

if TYPE_CHECKING:
    from analysis.item_sets import ItemSet
    from analysis.layouts import Layout


class Maps:
    """The layers of a pair's first side as maps of its items.

    Args:
        store: keeps what takes time.
    """

    def __init__(self, store: Kept) -> None:
        self._store = store

    def ready(self, pair: Pair, method: str) -> list[Layout]:
        """Maps of a method where they are kept already; else those that take no time."""
        if self._has(pair, method):
            return [self._store.get(key, lambda: None) for key in map_keys(pair, method)]
        return sections.pca_layouts(self._store, pair)

    def _has(self, pair: Pair, method: str) -> bool:
        """Whether the maps of a slow method are kept."""
        keys = map_keys(pair, method)
        return method != "pca" and bool(keys) and all(key in self._store for key in keys)

    def each(self, pair: Pair, method: str) -> Iterator[tuple[list[Layout], str]]:
        """The maps of a method, and a word to the waiting: as often as one more is there. A layer begins where the one
        below lies, the first with PCA; the first UMAP of a running app may have to be compiled."""
        if method == "pca" or self._has(pair, method):
            yield self.ready(pair, method), ""
            return
        from analysis.layouts import layout

        found = list(sections.pca_layouts(self._store, pair))
        yield found, say("layers.umap_first") if method == "umap" else say("layers.tsne_first")
        keys = map_keys(pair, method)
        for layer, vectors in enumerate(pair.first.vectors):
            start = found[layer - 1].points if layer else None
            key = keys[layer] if keys else None
            found[layer] = self._store.get(key, lambda v=vectors, s=start: layout(v, method, start=s))  # type: ignore[misc, arg-type]
            done = layer + 1
            yield found, say("layers.maps_made", done=done, all=len(found)) if done < len(found) else ""

    def drawn(self, pair: Pair, own: ItemSet | None, layouts: Sequence[Layout], note: str = "") -> Any:
        """The part's update.

        Args:
            own: the visitor's items, where it is of these.
            note: a word to the waiting.
        """
        from analysis.item_sets import LIVE_SETS, item_set

        thumbnails = ""
        if own is not None and pair.first.modality == "vision":
            pictures = own.sources["vision"]()
            thumbnails = layers_maps.sheet([pictures[place] for place in pair.first.index])
        is_here = own is None and pair.first.items in LIVE_SETS
        value = layers_maps.drawn(
            pair.first,
            layouts,
            sections.near(self._store, pair, layers_maps.NEIGHBOURS),
            title=sections.side_name(pair.first),
            media=pair.first.items if is_here else "",
            note=note,
            thumbnails=thumbnails,
            credits=() if own is not None else item_set(pair.first.items).credits,
        )
        return gr.update(value=value)
