"""Fitting the tensors of a checkpoint to a model: translate names by table, then load strictly.

What a strict load means here: a backbone tensor that is missing or has another shape is an error; a head that the file
lacks is initialised afresh and named; a tensor that no part takes is named. Nothing happens silently.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from data2vec_core.checkpoints.errors import CheckpointError, first_few
from data2vec_core.checkpoints.files import CONFIG_FILE
from data2vec_core.config_base import ConfigFields, Data2VecConfig

if TYPE_CHECKING:
    from data2vec_core.checkpoints.source import Checkpoint
    from data2vec_core.pretrained import PretrainedModel

Config = TypeVar("Config", bound=Data2VecConfig)

BACKBONE = "backbone."
"""Under which our head classes keep their encoder."""

#: Batch norm's count of training steps: not a weight, absent from some files, and read by nothing here.
_STEP_COUNTER = ".num_batches_tracked"


class CheckpointWarning(UserWarning):
    """Something about a checkpoint that its user should know: a fresh head, left-over tensors, unknown fields."""


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What loading a checkpoint did. Tensors go by their public names."""

    source: str
    """The folder, bundled name or hub id (with revision) that was read."""
    initialised: tuple[str, ...] = ()
    """Tensors the file lacks, now random: a head that has to be trained, or an optional part."""
    mismatched: tuple[str, ...] = ()
    """Head tensors of another shape, initialised afresh on request."""
    left_over: tuple[str, ...] = ()
    """Tensors of the file that no part of the model takes."""
    config_fields: ConfigFields = ConfigFields()

    @property
    def is_complete(self) -> bool:
        """Whether every weight of the model came from the file."""
        return not self.initialised and not self.mismatched

    def sentences(self) -> list[str]:
        """The report in words; empty when there is nothing to say."""
        said = []
        if fresh := self.initialised + self.mismatched:
            said.append(f"initialised at random, to be trained before use: {first_few(fresh)}")
        if self.left_over:
            said.append(f"in the file but not in the model: {first_few(self.left_over)}")
        if self.config_fields.unknown:
            said.append(f"unknown configuration fields: {first_few(self.config_fields.unknown)}")
        return said

    def warn(self) -> None:
        """Raise a `CheckpointWarning` for each sentence."""
        for sentence in self.sentences():
            warnings.warn(f"{self.source}: {sentence}", CheckpointWarning, stacklevel=3)


def read_config(config_class: type[Config], checkpoint: Checkpoint, **overrides: Any) -> tuple[Config, ConfigFields]:
    """The configuration of a checkpoint, and what became of the other fields of its file.

    Raises:
        CheckpointError: the file is missing, broken, or of another kind of model.
        ValueError: an override breaks a rule.
        TypeError: an override is not a field of this configuration.
    """
    values = checkpoint.read_config()
    try:
        config, fields = config_class.read_dict(values)
    except (ValueError, TypeError, AttributeError) as error:  # the last two: a value of another type
        raise CheckpointError(f"{checkpoint.source}: its {CONFIG_FILE} does not fit: {error}") from error
    return (config.replace(**overrides) if overrides else config), fields


@contextmanager
def blank_weights() -> Iterator[None]:
    """Inside, modules are built with shapes but without numbers, for `fit_tensors` to fill: no time, no memory."""
    with torch.device("meta"), _NothingDrawn():
        yield


class _NothingDrawn(TorchFunctionMode):
    """Leaves random initialisers out. On the meta device they would do nothing, but the first call of one imports
    torch's compiler, which takes seconds."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, Tensor.uniform_) or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


def fit_tensors(
    model: PretrainedModel,
    tensors: Mapping[str, Tensor],
    *,
    source: str,
    fields: ConfigFields | None = None,
    may_lack: Collection[str] = (),
    may_leave: Collection[str] = (),
    dtype: torch.dtype | str | None = None,
    ignore_mismatched_sizes: bool = False,
) -> LoadReport:
    """Load tensors under their public names into a model, which may have blank weights.

    Args:
        model: whose tensors are replaced.
        tensors: by public name, with or without the backbone's prefix. Handed over: where number formats agree, the
            model keeps them as they are, so that a mapped file is read only as far as it is used.
        may_lack: parts of the backbone that `tensors` need not have, as `optional_parts` of a model class names them.
        may_leave: parts of the backbone that the model need not take: what a borrowed one has beyond it is no fault.
        dtype: `"auto"` keeps the number format of the file's first tensor; None means float32.

    Raises:
        CheckpointError: backbone tensors are missing or mis-shaped, or head tensors mis-shaped.
    """
    own, left_over = _translate(model, model.adapt_public_tensors(tensors), may_leave)
    expected = model.state_dict()
    missing = [name for name in expected if name not in own]
    mismatched = [name for name in expected if name in own and own[name].shape != expected[name].shape]
    _refuse_broken(model, missing, mismatched, own, expected, source, may_lack, ignore_mismatched_sizes)
    for name in mismatched:
        del own[name]

    file_dtype = next((t.dtype for t in own.values() if t.is_floating_point()), torch.float32)
    target_dtype = _parse_dtype(dtype, file_dtype)
    # Not `to_empty`, whose first call on a meta tensor imports a computer algebra system.
    blanks = {name: torch.empty(t.shape, dtype=t.dtype) for name, t in expected.items() if t.is_meta}
    model.load_state_dict(blanks, strict=False, assign=True)
    model.to(target_dtype)
    _initialise(model, {*missing, *mismatched})
    ready = {name: t.to(target_dtype if t.is_floating_point() else None).contiguous() for name, t in own.items()}
    model.load_state_dict(ready, strict=False, assign=True)
    return LoadReport(
        source=source,
        initialised=tuple(to_public_name(model, name) for name in missing if not name.endswith(_STEP_COUNTER)),
        mismatched=tuple(to_public_name(model, name) for name in mismatched),
        left_over=tuple(left_over),
        config_fields=fields or ConfigFields(),
    )


def to_public_name(model: PretrainedModel, own_name: str) -> str:
    """The name under which the public format stores a tensor of this model."""
    table = model.key_table
    if own_name.startswith(BACKBONE):
        return table.prefix + table.to_public(own_name.removeprefix(BACKBONE))
    return table.to_public(own_name)


def to_public_names(model: PretrainedModel) -> dict[str, Tensor]:
    """All tensors of a model under their public names."""
    return {to_public_name(model, name): tensor for name, tensor in model.state_dict().items()}


def _translate(
    model: PretrainedModel, tensors: Mapping[str, Tensor], may_leave: Collection[str]
) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors by own name, and the public names of those that the model has no place for."""
    table = model.key_table
    has_head = model.base_model is not model
    file_has_head = any(name.startswith(table.prefix) for name in tensors)
    expected = model.state_dict().keys()
    own: dict[str, Tensor] = {}
    left_over: list[str] = []
    for public_name, tensor in tensors.items():
        if table.is_dropped(public_name):
            continue
        in_backbone = public_name.startswith(table.prefix) or not file_has_head
        bare = table.to_own(public_name.removeprefix(table.prefix))
        name = BACKBONE + bare if in_backbone and has_head else bare
        takes = name in expected and name not in own and (in_backbone or has_head)
        if takes:
            own[name] = tensor
        elif not (in_backbone and _is_of(bare, may_leave)):
            left_over.append(public_name)
    return own, left_over


def _is_of(name: str, parts: Collection[str]) -> bool:
    """Whether a tensor of the backbone belongs to one of its parts, which may be patterns."""
    return any(fnmatchcase(name, f"{part}*") for part in parts)


def _refuse_broken(
    model: PretrainedModel,
    missing: list[str],
    mismatched: list[str],
    own: Mapping[str, Tensor],
    expected: Mapping[str, Tensor],
    source: str,
    may_lack: Collection[str],
    ignore_mismatched_sizes: bool,
) -> None:
    def is_needed(name: str) -> bool:
        bare = name.removeprefix(BACKBONE)
        is_backbone = name.startswith(BACKBONE) or model.base_model is model
        return is_backbone and not _is_of(bare, may_lack)

    faults = []
    if broken := [to_public_name(model, name) for name in missing if is_needed(name)]:
        faults.append(f"missing: {first_few(broken)}")
    refused = [name for name in mismatched if is_needed(name) or not ignore_mismatched_sizes]
    if refused:
        shapes = [
            f"{to_public_name(model, name)} {tuple(own[name].shape)} instead of {tuple(expected[name].shape)}"
            for name in refused
        ]
        faults.append(f"wrong shape: {first_few(shapes)}")
    if faults:
        heads = [name for name in refused if not is_needed(name)]
        hint = " (ignore_mismatched_sizes=True starts the head afresh)" if heads and len(heads) == len(refused) else ""
        raise CheckpointError(
            f"{source} does not fit {type(model).__name__} of this configuration; {'; '.join(faults)}{hint}"
        )


def _parse_dtype(dtype: torch.dtype | str | None, file_dtype: torch.dtype) -> torch.dtype:
    if dtype is None:
        return torch.float32
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        return file_dtype
    named = getattr(torch, dtype.removeprefix("torch."), None)
    if not isinstance(named, torch.dtype) or not named.is_floating_point:
        raise ValueError(f"torch_dtype={dtype!r}: expected 'auto' or a floating-point type such as 'float16'")
    return named


def _initialise(model: PretrainedModel, fresh: set[str]) -> None:
    """Draw the named tensors, children before the parents that may overrule them.

    Whole modules are drawn, and may touch tensors that the file has: those are loaded afterwards.
    """
    for path, module in reversed(list(model.named_modules())):
        if any(name.startswith(f"{path}." if path else "") for name in fresh):
            if isinstance(module, torch.nn.modules.batchnorm._NormBase):
                module.reset_running_stats()
            model.initialise_module(module)
