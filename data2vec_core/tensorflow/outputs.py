"""Results of the TensorFlow classes: dictionaries, as Keras and `tf.function` know them, of the fields of
`data2vec_core.outputs`, which can be read as attributes as well.

A field that is None there has no entry here: `predict` and a SavedModel have no place for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import optree


class TFModelOutput(dict[str, Any]):
    """A result: `output.logits` is `output["logits"]`, and None where there is no such entry."""

    FIELDS = ("loss", "logits", "last_hidden_state", "pooler_output", "hidden_states", "attentions")
    """In the order of `to_tuple`."""

    @classmethod
    def of(cls, **fields: Any) -> Self:
        """The fields that are not None."""
        return cls({name: fields[name] for name in cls.FIELDS if fields.get(name) is not None})

    def __getattr__(self, name: str) -> Any:
        if name not in self.FIELDS:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}: {', '.join(self.FIELDS)}")
        return self.get(name)

    def to_tuple(self) -> tuple[Any, ...]:
        """The values, in the order of the fields."""
        return tuple(self[name] for name in self.FIELDS if name in self)


def _flatten(output: TFModelOutput) -> tuple[Iterable[Any], tuple[str, ...], tuple[str, ...]]:
    names = tuple(sorted(output))
    return [output[name] for name in names], names, names


def _unflatten(names: tuple[str, ...], values: Iterable[Any]) -> TFModelOutput:
    return TFModelOutput(zip(names, values, strict=True))


# Keras takes structures apart by this library, to which a subclass of dict is one value unless it is told otherwise.
optree.register_pytree_node(TFModelOutput, _flatten, _unflatten, namespace="keras")
