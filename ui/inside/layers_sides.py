"""The two sides that the view "Layers" compares, and what is kept of them: vectors of bundled sets are made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from weakref import WeakKeyDictionary

from data2vec_core.checkpoints.card import MODALITIES
from ui.inside.selection import ENCODERS, Selection
from ui.service import Service
from ui.words import say

if TYPE_CHECKING:
    from analysis.item_sets import ItemSet
    from analysis.item_vectors import ItemVectors
    from analysis.subject import Subject

Null = Literal["none", "shuffled", "untrained"]
NULLS: Final[tuple[Null, ...]] = get_args(Null)
SEED: Final = 0
"""Of the shuffled items, and of the untrained network."""
FIRST_SETS: Final = {"vision": "flowers5", "audio": "speech_commands", "text": "trec"}
"""To begin with, by modality: their vectors lie ready."""
OWN: Final = "own"
LARGE: Final = 512
"""Dimensions from which a model is shown fewer items."""
MOST_OF_LARGE: Final = 32
_MOST_KEPT: Final = 240


@dataclass(frozen=True)
class Choice:
    """What the controls of the view say."""

    items: str
    """Name of a bundled set, or `own`."""
    other_model: str
    """Empty: the model's own teacher, or the encoder that it came from."""
    other_role: str
    measure: str
    null: Null
    map: str


@dataclass(frozen=True)
class Pair:
    """Both sides with the same items, and what they are known by."""

    first: ItemVectors
    second: ItemVectors
    control: ItemVectors | None
    """The untrained network in the place of the second side."""
    null: Null
    key: Hashable | None
    """None of one's own items, of which nothing is kept."""

    @property
    def n(self) -> int:
        """Items on either side."""
        return len(self.first)


class Kept:
    """Vectors and results of bundled sets, those used last."""

    def __init__(self) -> None:
        self._found: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable | None, make: Callable[[], Any]) -> Any:
        """What is kept under a key, made if need be; of None nothing is kept."""
        if key is None:
            return make()
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
                return self._found[key]
        found = make()  # not under the lock: others need not wait; twice the same work does no harm
        with self._lock:
            self._found[key] = found
            while len(self._found) > _MOST_KEPT:
                self._found.popitem(last=False)
        return found

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._found


_KEPT: WeakKeyDictionary[Service, Kept] = WeakKeyDictionary()


def kept(service: Service) -> Kept:
    """What a running app keeps, whichever of its pages asks."""
    return _KEPT.setdefault(service, Kept())


class OtherModelError(Exception):
    """The second side needs another model than the one that is held now."""


def fitting_sets(service: Service, model: str, modality: str) -> list[str]:
    """Bundled sets that a model has, or can have, vectors of."""
    from analysis.item_sets import item_set, item_sets

    found = [item_set(name) for name in item_sets()]
    return [one.name for one in found if one.has(model, modality) and (one.pack is None or _knows_packs(service))]


def _knows_packs(service: Service) -> bool:
    """Whether the bundled models are those whose vectors lie ready."""
    return service.settings.bundled_folder is None


def fitting_models(service: Service, items: str, modality: str) -> list[str]:
    """Models that may stand on the other side."""
    from analysis.item_sets import item_set

    if items == OWN:
        return [entry.name for entry in service.subjects(modality)]
    found = item_set(items)
    ordered = [modality, *(one for one in MODALITIES if one != modality)]
    return [entry.name for one in ordered for entry in service.subjects(one) if found.has(entry.name, one)]


def has_teacher(service: Service, model: str) -> bool:
    """Whether a listed model brings a teacher."""
    entry = service.entry(model)
    return bool(entry and entry.is_bundled and entry.card.is_encoder)


def settled(service: Service, selection: Selection, choice: Choice) -> Choice:
    """The choice with what does not fit put right, and what is left open filled in."""
    from analysis.item_sets import item_set

    sets = fitting_sets(service, selection.model, selection.modality)
    items = choice.items
    if items not in (*sets, OWN):
        first = FIRST_SETS[selection.modality]
        items = first if first in sets else min(sets, key=lambda name: len(item_set(name)), default=OWN)
    others = fitting_models(service, items, selection.modality)
    other, role = choice.other_model, choice.other_role
    if selection.role == "difference" or other not in others:
        other = ""
    if not other:
        encoder = ENCODERS[selection.modality]
        own = selection.role == "difference" or has_teacher(service, selection.model) or encoder not in others
        role = "student" if not own or selection.role == "teacher" else "teacher"
    return Choice(items, other, role, choice.measure, choice.null, choice.map)


def other_side(service: Service, selection: Selection, choice: Choice) -> tuple[str, str]:
    """Model and role of the second side of a settled choice."""
    if choice.other_model:
        return choice.other_model, choice.other_role
    encoder = ENCODERS[selection.modality]
    others = fitting_models(service, choice.items, selection.modality)
    if selection.role == "difference" or has_teacher(service, selection.model) or encoder not in others:
        return selection.model, choice.other_role
    return encoder, choice.other_role


def pair_of(
    service: Service,
    selection: Selection,
    choice: Choice,
    *,
    own: ItemSet | None = None,
    subject: Subject | None = None,
) -> Pair:
    """Both sides of a settled choice.

    Models are held one after the other, never two at once, so that no two visitors wait for each other.

    Args:
        own: the visitor's items, where the choice says so.
        subject: the model of the selection, where it is held by the caller: then no other can be had.

    Raises:
        OtherModelError: `subject` is given, and another model is needed that has left no vectors yet.
        ValueError: the set does not fit, or has fewer items than a comparison needs.
    """
    if choice.items == OWN and own is None:
        raise ValueError(say("layers.own_missing"))
    from analysis.item_sets import item_set
    from analysis.item_vectors import paired

    is_here = own is not None or item_set(choice.items).pack is None
    if not is_here and not _knows_packs(service):
        raise ValueError(say("layers.no_pack"))
    role = "student" if selection.role == "difference" else selection.role
    model, other_role = other_side(service, selection, choice)
    store = kept(service)

    def vectors(name: str, role: str, *, untrained: bool = False) -> ItemVectors:
        key = None if own is not None else ("vectors", choice.items, name, role, untrained)
        return store.get(key, lambda: _made(service, own or choice.items, name, role, untrained, selection, subject))

    other = vectors(model, other_role)  # first, for it may be the one that cannot be had now
    first, second = paired(vectors(selection.model, role), other)
    control = None
    if choice.null == "untrained" and is_here:
        control = paired(first, vectors(model, "student", untrained=True))[1]
    key = None if own is not None else (choice.items, selection.model, role, model, other_role)
    return Pair(first, second, control, choice.null, key)


def _made(
    service: Service,
    items: str | ItemSet,
    name: str,
    role: Any,
    untrained: bool,
    selection: Selection,
    subject: Subject | None,
) -> ItemVectors:
    from analysis.item_sets import item_set
    from analysis.item_vectors import item_vectors

    found = item_set(items) if isinstance(items, str) else items
    if found.pack is not None:
        return item_vectors(found, name, role)

    def shown(held: Subject) -> ItemVectors:
        most = MOST_OF_LARGE if held.dim > LARGE else None
        return item_vectors(found, name, role, untrained=untrained, subject=held, most=most)

    if subject is not None:
        if name != selection.model:
            raise OtherModelError(name)
        return shown(subject)
    with service.subject(name) as held:
        return shown(held)


def shares_axes(pair: Pair) -> bool:
    """Whether dimension i means the same on both sides: a model and its own teacher, or one that went on from it."""
    return pair.first.modality == pair.second.modality and pair.first.vectors.shape[2] == pair.second.vectors.shape[2]


def cross_choices(service: Service, names: Sequence[str]) -> list[tuple[str, str]]:
    """Models for a dropdown, with their modality, for the other side may be of another."""
    labels = []
    for name in names:
        entry = service.entry(name)
        modality = entry.card.modality if entry else ""
        labels.append((f"{name} · {say(_MODALITY_WORDS[modality])}" if modality else name, name))
    return labels


_MODALITY_WORDS: Final = {"audio": "inside.audio", "text": "inside.text", "vision": "inside.vision"}


def map_keys(pair: Pair, method: str) -> list[Any]:
    """What the maps of each layer are kept by; none where they are not kept."""
    if pair.key is None:
        return []
    side = pair.first
    return [("map", method, side.items, side.model, side.role, pair.n, at) for at in range(len(side.vectors))]
