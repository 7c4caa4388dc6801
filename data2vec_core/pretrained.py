"""What every model class has: building from a checkpoint, saving one, freezing, gradient checkpointing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self, TypedDict

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.files import CONFIG_FILE, Role, write_json
from data2vec_core.checkpoints.key_table import KeyTable
from data2vec_core.checkpoints.loading import LoadReport, blank_weights, fit_tensors, read_config, to_public_names
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.checkpoints.writing import write_tensors
from data2vec_core.config_base import Data2VecConfig
from data2vec_core.fixed_linear import FixedLinear, fix_linears
from data2vec_core.linear_choice import LinearChoice, LinearKind
from data2vec_core.outputs import ModelOutput
from data2vec_core.trace import TensorName, Trace
from data2vec_core.transformer import BlockStack


class Recording(TypedDict, total=False):
    """What every `forward` takes for looking inside."""

    output_attentions: bool | None
    """Put the attentions of every layer into the result; by the configuration when None."""
    output_hidden_states: bool | None
    """The same of hidden states."""
    trace: Trace | None
    """What else to record or replace."""


class PretrainedModel(nn.Module):
    """Base of the 15 model classes.

    A head class keeps its encoder in `backbone` (whatever its public prefix); the bare models are their own backbone.
    """

    config_class: ClassVar[type[Data2VecConfig]]
    key_table: ClassVar[KeyTable]
    #: Arguments of the constructor beside the configuration; `from_pretrained` hands them on.
    build_options: ClassVar[tuple[str, ...]] = ()
    #: Parts of the backbone that a checkpoint may lack without being broken (a pooler, a mask embedding): how their
    #: tensors' names begin, `*` for anything.
    optional_parts: ClassVar[tuple[str, ...]] = ()
    #: The same of parts that a configuration field switches on: a checkpoint may lack them when an override asks for
    #: them, not when its own configuration does.
    parts_of_fields: ClassVar[Mapping[str, str]] = {}

    config: Any  # the modality's configuration; subclasses narrow it
    load_report: LoadReport | None = None
    """What loading found, initialised and left over; None for a model that was not loaded."""
    linear_kind: LinearKind = "plain"
    """How the blocks hold the weights of their linear layers."""

    def __init__(self, config: Data2VecConfig) -> None:
        super().__init__()
        if not isinstance(config, self.config_class):
            raise TypeError(f"{type(self).__name__} needs a {self.config_class.__name__}, got {type(config).__name__}")
        self.config = config

    def __call__(self, *args: Any, return_dict: bool | None = None, **kwargs: Any) -> Any:
        """Run `forward`; with `return_dict=False` the result is a plain tuple of its fields that are not None."""
        output = super().__call__(*args, **kwargs)
        return output.to_tuple() if return_dict is False and isinstance(output, ModelOutput) else output

    @property
    def base_model(self) -> PretrainedModel:
        """The encoder without a head."""
        return getattr(self, "backbone", self)

    def freeze_base_model(self) -> None:
        """Train the head only."""
        self.base_model.requires_grad_(False)

    def gradient_checkpointing_enable(self) -> None:
        """Recompute the blocks' activations in the backward pass instead of keeping them (less memory, more time)."""
        self._set_gradient_checkpointing(True)

    def gradient_checkpointing_disable(self) -> None:
        """Keep activations again."""
        self._set_gradient_checkpointing(False)

    def _set_gradient_checkpointing(self, is_on: bool) -> None:
        for module in self.modules():
            if isinstance(module, BlockStack):
                module.gradient_checkpointing = is_on

    def num_parameters(self) -> int:
        """Number of parameters; tied ones count once."""
        fixed = (module for module in self.modules() if isinstance(module, FixedLinear))
        return sum(parameter.numel() for parameter in self.parameters()) + sum(
            module.in_features * module.out_features for module in fixed
        )

    @property
    def nbytes(self) -> int:
        """Memory of parameters and buffers; tied ones count once."""
        tensors = {tensor.data_ptr(): tensor.nbytes for tensor in (*self.parameters(), *self.buffers())}
        return sum(tensors.values()) + sum(
            module.nbytes for module in self.modules() if isinstance(module, FixedLinear)
        )

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return next(self.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of the parameters."""
        return next(self.parameters()).dtype

    def initialise(self) -> None:
        """Draw the weights afresh, by the reference's rules, except those of a backbone inside, which has drawn its
        own. Children come before their parents, which may overrule them. Every concrete class calls it at the end of
        its constructor."""
        drawn = set() if self.base_model is self else set(self.base_model.modules())
        for module in reversed(list(self.modules())):
            if module not in drawn:
                self.initialise_module(module)

    def initialise_module(self, module: nn.Module) -> None:
        """Draw the weights that one module owns itself; each modality has its rules."""
        raise NotImplementedError

    def _trace_for(
        self, trace: Trace | None, output_hidden_states: bool | None, output_attentions: bool | None
    ) -> Trace | None:
        """The trace a forward pass hands down: the caller's, extended for this pass by what the two flags ask for.
        None of the three asked: None, so that the fused kernel runs."""
        states, attentions = self._flags(output_hidden_states, output_attentions)
        if not states and not attentions:
            return trace
        wanted: list[TensorName] = ["hidden"] if states else []
        if attentions:
            wanted += ["attention", "cross_attention"]
        return (Trace() if trace is None else trace).also(*wanted)

    def _recorded(
        self, trace: Trace | None, output_hidden_states: bool | None, output_attentions: bool | None
    ) -> dict[str, tuple[Tensor, ...] | None]:
        """`hidden_states` and `attentions` of a result, from the trace, where the flags asked for them."""
        states, attentions = self._flags(output_hidden_states, output_attentions)
        return {
            "hidden_states": trace.all("hidden") if trace is not None and states else None,
            "attentions": trace.all("attention") if trace is not None and attentions else None,
        }

    def _flags(self, output_hidden_states: bool | None, output_attentions: bool | None) -> tuple[bool, bool]:
        """Whether to return hidden states, and attentions: by the configuration where a call does not say."""
        states = self.config.output_hidden_states if output_hidden_states is None else output_hidden_states
        attentions = self.config.output_attentions if output_attentions is None else output_attentions
        return states, attentions

    @classmethod
    def from_pretrained(
        cls,
        folder_or_name: str | Path,
        *,
        role: Role = "student",
        torch_dtype: torch.dtype | str | None = None,
        dtype: torch.dtype | str | None = None,
        ignore_mismatched_sizes: bool = False,
        linear: LinearChoice = "plain",
        revision: str | None = None,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        **overrides: Any,
    ) -> Self:
        """Build a model from a checkpoint: a local folder, the name of a bundled model, or a hub id.

        The model comes back in eval mode, and `load_report` says what happened to every tensor.

        Args:
            folder_or_name: looked up in that order.
            role: `teacher` reads `teacher.safetensors` of the folder instead of the student's weights.
            torch_dtype, dtype: (two names of one argument) number format to hold the weights in, or `"auto"` for the
                file's own; float32 by default.
            ignore_mismatched_sizes: initialise a head tensor of another shape afresh instead of refusing (a new set
                of classes, say).
            linear: how the blocks hold the weights of their linear layers: `plain`, to be trained; `packed` or `int8`,
                for faster inference in float32 on a processor; `best`, what is fastest there (see
                `data2vec_core.fixed_linear`). What it has come to is `linear_kind` of the model.
            revision, cache_dir, token, local_files_only: for hub ids, as `huggingface_hub` understands them.
            **overrides: configuration fields to change, such as `num_labels=12`; a part of the encoder that they ask
                for beyond the file (absolute positions, say) starts afresh. Also `build_options` of the class.

        Raises:
            CheckpointError: nothing there, no network, an unreadable file, or backbone tensors missing or mis-shaped.
            TypeError: an override that is not a configuration field.
            ValueError: an override that breaks a rule, both names of the number format, or linear layers of a kind
                that this host or number format does not have.
        """
        if torch_dtype is not None and dtype is not None:
            raise ValueError(f"give torch_dtype or dtype, not both; got {torch_dtype} and {dtype}")
        checkpoint = open_checkpoint(
            folder_or_name,
            role=role,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
        )
        options = {name: overrides.pop(name) for name in cls.build_options if name in overrides}
        config, fields = read_config(cls.config_class, checkpoint, **overrides)
        with blank_weights():
            model = cls(config, **options)
        report = fit_tensors(
            model,
            checkpoint.read_tensors(role),
            source=checkpoint.source,
            fields=fields,
            may_lack=(*cls.optional_parts, *(part for name, part in cls.parts_of_fields.items() if name in overrides)),
            may_leave=cls.optional_parts if checkpoint.borrows_backbone else (),
            dtype=dtype if torch_dtype is None else torch_dtype,
            ignore_mismatched_sizes=ignore_mismatched_sizes,
        )
        model.linear_kind = fix_linears(model, linear)
        model.load_report = report
        report.warn()
        return model.eval()

    def save_pretrained(self, folder: str | Path, *, dtype: torch.dtype | None = None) -> None:
        """Write `config.json` and `model.safetensors`, in the public layout that the transformers library reads.

        Args:
            folder: made when it does not exist.
            dtype: number format of the file; the parameters' own by default.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        dtype = dtype or self.dtype
        config: Data2VecConfig = self.config
        config = config.replace(architectures=(type(self).__name__,), dtype=str(dtype).removeprefix("torch."))
        write_json(folder / CONFIG_FILE, config.to_dict())
        write_tensors(folder, self.public_tensors(), dtype=dtype)

    def public_tensors(self) -> dict[str, Tensor]:
        """All tensors under the names of the public format; a class whose layout differs there puts it right."""
        return to_public_names(self)

    def adapt_public_tensors(self, tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The tensors of a file, by public name, as `public_tensors` would give them: the way back."""
        return tensors
