"""One checkpoint and one input, as every inside view, endpoint and notebook looks at them: who reads (student or
teacher), which layer, which head, which position.

Layers are blocks, counted from 1; 0 is the input of the first block. Heads are counted from 1; 0 is their mean.
Positions are frames, tokens (`<s>` and `</s>` among them) or patches row by row, counted from 0; -1 is the class token
of a picture, which is none of its places.
"""

from __future__ import annotations

import dataclasses
import threading
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from data2vec_core.audio.lengths import frame_count
from data2vec_core.checkpoints.card import Modality
from data2vec_core.checkpoints.files import TEACHER_FILE
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.checkpoints.source import open_checkpoint
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.masking import TokenMasking, mask_generators
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.modalities import build_pretraining
from data2vec_core.pretraining.model import Data2VecPretraining
from data2vec_core.pretraining.presets import METHODS
from data2vec_core.pretraining.saved import METHOD_FILE, PREDICTOR_FILE, load_method
from data2vec_core.pretraining.start import load_encoder, load_predictor, load_student, load_teacher
from data2vec_core.processing.any import AnyProcessor, load_processor
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_io import AudioSource, load_audio
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.image_io import ImageSource, load_image
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.trace import Trace

Role = Literal["student", "teacher"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
View = Literal["student", "teacher", "difference"]
"""Whose numbers: of one of the two, or the student's minus the teacher's."""
VIEWS: Final[tuple[View, ...]] = get_args(View)
Pooling = Literal["mean", "first", "max"]
POOLINGS: Final[tuple[Pooling, ...]] = get_args(Pooling)
Pretraining = Data2VecPretraining[Any, Any, Any]
CLASS_TOKEN: Final = -1
"""Position of a picture's class token."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One unpadded input as a model reads it, and what its positions are."""

    modality: Modality
    batch: Mapping[str, Tensor]
    """By the names of the model's `forward`; one row."""
    labels: tuple[str, ...]
    """Of the positions: seconds at which a frame begins, tokens, or `row, column` of a patch, counted from 1."""
    class_tokens: int = 0
    """Places of the encoder's sequence before position 0."""
    special: tuple[int, ...] = ()
    """Positions of `<s>`, `</s>` and their like."""
    waveform: NDArray[np.float32] | None = None
    """(samples,) of sound, before normalisation."""
    rate: int = 0
    """Samples a second."""
    step: float = 1.0
    """What lies between two positions: seconds of sound, 1 token, 1 patch."""
    offsets: NDArray[np.int64] | None = None
    """(positions, 2) of text: start and end in characters; (0, 0) of special tokens."""
    picture: NDArray[np.uint8] | None = None
    """(height, width, 3): what the model sees of a picture."""
    grid: tuple[int, int] | None = None
    """Rows and columns of a picture's patches."""

    def __len__(self) -> int:
        return len(self.labels)

    def place(self, position: int) -> int:
        """Where a position is in the encoder's sequence.

        Raises:
            ValueError: it is not there.
        """
        if position == CLASS_TOKEN and self.class_tokens:
            return 0
        if not 0 <= position < len(self):
            also = f", or {CLASS_TOKEN} for the class token" if self.class_tokens else ""
            raise ValueError(f"position={position}: the input has {len(self)}, numbered from 0{also}")
        return self.class_tokens + position


class Subject:
    """A checkpoint's encoder in eval mode, with its teacher and its predictor where it has them.

    Args:
        encoder: the student, as it was saved.
        processor: of raw inputs.
        name: what it was loaded by, and is loaded by again where a mask is wanted of a checkpoint without a method.
        model: student, teacher and head, where the checkpoint was saved with a method of pre-training.
        has_teacher, has_predictor: whether these come from the checkpoint; what does not is a copy of the student, and
            untrained.
    """

    def __init__(
        self,
        encoder: PretrainedModel,
        processor: AnyProcessor,
        *,
        name: str,
        model: Pretraining | None = None,
        has_teacher: bool = False,
        has_predictor: bool = False,
        **open_options: Any,
    ) -> None:
        self.encoder = encoder.eval().requires_grad_(False)
        self.processor = processor
        self.name = name
        self.has_teacher = has_teacher
        self.has_predictor = has_predictor
        self.model: nn.Module = encoder if model is None else model
        """Everything that is loaded."""
        self._pretraining = model
        self._open_options = open_options
        self._loading = threading.Lock()
        config: Any = encoder.config
        self.modality: Modality = config.model_type.removeprefix("data2vec-")
        self.depth: int = config.num_hidden_layers
        """Blocks."""
        self.heads: int = config.num_attention_heads
        """Of each block."""
        self.dim: int = config.hidden_size

    @classmethod
    def from_pretrained(cls, folder_or_name: str | Path, **open_options: Any) -> Self:
        """Load an encoder, or the encoder under the head of a fine-tuned model.

        Args:
            folder_or_name: a local folder, the name of a bundled model, or a hub id.
            **open_options: `revision`, `cache_dir`, `token` and `local_files_only`, for hub ids.

        Raises:
            CheckpointError: nothing there, unreadable, incomplete, or no data2vec.
        """
        processor = load_processor(folder_or_name, **open_options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CheckpointWarning)  # of heads, which nobody looks at here
            folder = open_checkpoint(folder_or_name, role="student", **open_options).folder
            has_method = (folder / METHOD_FILE).is_file()
            has_teacher = (folder / TEACHER_FILE).is_file()
            if not (has_method or has_teacher):
                encoder = load_encoder(folder_or_name, **open_options)
                return cls(encoder, processor, name=str(folder_or_name), **open_options)
            method = load_method(folder) if has_method else None
            model = _pretraining(folder_or_name, method, processor, open_options)
            has_predictor = has_method and (folder / PREDICTOR_FILE).is_file()
            if has_predictor:
                load_predictor(model, folder)
        return cls(
            model.student,
            processor,
            name=str(folder_or_name),
            model=model,
            has_teacher=has_teacher,
            has_predictor=has_predictor,
            **open_options,
        )

    @property
    def pretraining(self) -> Pretraining:
        """Student, teacher and head, to hide parts of an input from the student. A checkpoint without a method gets the
        paper's, fitted to its depth and vocabulary; its weights are read once more, at the first call.

        Raises:
            CheckpointError: they cannot be read any more.
        """
        with self._loading:
            if self._pretraining is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", CheckpointWarning)
                    self._pretraining = _pretraining(self.name, None, self.processor, self._open_options)
                self.model = nn.ModuleList([self.encoder, self._pretraining])
            return self._pretraining

    def show(self, source: AudioSource | str | ImageSource, *, sampling_rate: int | None = None) -> Shown:
        """Prepare a sound, a text or a picture, by the modality of the model.

        Args:
            source: what `load_audio` or `load_image` takes, or a text, which is cut to what the model reads at once.
            sampling_rate: of a sound that is given as samples.

        Raises:
            ValueError: it cannot be used: see there.
        """
        match self.processor:
            case SpeechFeatureExtractor():
                return self._sound(self.processor, source, sampling_rate)
            case TextTokenizer():
                return self._text(self.processor, source)
            case _:
                return self._picture(self.processor, source)

    def run(self, shown: Shown, role: Role, trace: Trace, *, copies: int = 1) -> None:
        """Let student or teacher read an input whole, and record.

        A model without a teacher shows its own weights under that role: at the end of training the average has all but
        caught up with the student.

        Args:
            copies: of the input in one pass, for a trace that changes each of them otherwise.

        Raises:
            ValueError: no such role.
        """
        if role not in ROLES:
            raise ValueError(f"role={role!r}: expected one of {', '.join(ROLES)}")
        batch = {name: tensor.expand(copies, *tensor.shape[1:]) for name, tensor in shown.batch.items()}
        if role == "student" or not self.has_teacher:
            self.encoder(trace=trace, **batch)  # type: ignore[arg-type]
            return
        inputs = self.pretraining.prepare(batch)
        # Only a teacher that is compatible with the released code of text looks at the mask.
        masks = self.pretraining.method.masks_per_sample
        mask = self.pretraining.draw(inputs, mask_generators(0, 0, range(copies), masks))
        self.pretraining.watch(inputs, mask, trace)

    @torch.inference_mode()
    def attention(self, shown: Shown, layer: int, role: Role = "student") -> NDArray[np.float32]:
        """(heads, query, key) probabilities of one block over the encoder's whole sequence, class token included.

        Raises:
            ValueError: no such layer or role.
        """
        self._check_layer(layer, least=1)
        trace = Trace({"attention": [layer]})
        self.run(shown, role, trace)
        return trace["attention", layer][0].float().cpu().numpy()

    @torch.inference_mode()
    def hidden(self, shown: Shown, role: Role = "student") -> NDArray[np.float32]:
        """(L + 1, sequence, dim) of all layers, class token included.

        Raises:
            ValueError: no such role.
        """
        trace = Trace(["hidden"])
        self.run(shown, role, trace)
        return torch.cat(trace.all("hidden")).float().cpu().numpy()

    @torch.inference_mode()
    def embed(self, shown: Shown, layer: int, role: Role = "student", pooling: Pooling = "mean") -> NDArray[np.float32]:
        """(dim,) one vector of a whole input.

        Args:
            layer: 0 to L.
            pooling: over the positions: their mean or largest values, without class and sentence tokens; or the first
                place of the sequence: the class token, `<s>`, or the first frame.

        Raises:
            ValueError: no such layer, role or pooling.
        """
        self._check_layer(layer, least=0)
        if pooling not in POOLINGS:
            raise ValueError(f"pooling={pooling!r}: expected one of {', '.join(POOLINGS)}")
        trace = Trace({"hidden": [layer]})
        self.run(shown, role, trace)
        sequence = trace["hidden", layer][0].float().cpu().numpy()
        if pooling == "first":
            return np.asarray(sequence[0])
        ordinary = np.setdiff1d(np.arange(len(shown)), shown.special)
        places = sequence[shown.class_tokens + (ordinary if len(ordinary) else np.arange(len(shown)))]
        return np.asarray(places.mean(axis=0) if pooling == "mean" else places.max(axis=0))

    def _check_layer(self, layer: int, *, least: int) -> None:
        if not least <= layer <= self.depth:
            raise ValueError(f"layer={layer}: expected {least} to {self.depth}")

    def _sound(self, extractor: SpeechFeatureExtractor, source: Any, sampling_rate: int | None) -> Shown:
        rate = extractor.sampling_rate
        waveform = load_audio(source, sampling_rate=sampling_rate, target_rate=rate)
        config: Any = self.encoder.config
        batch = extractor(waveform, min_samples=config.receptive_field)
        step = config.inputs_to_logits_ratio / rate
        return Shown(
            modality="audio",
            batch={"input_values": batch["input_values"]},  # unpadded, so without a mask
            labels=tuple(f"{frame * step:.2f} s" for frame in range(frame_count(len(waveform), config))),
            waveform=waveform,
            rate=rate,
            step=step,
        )

    def _text(self, tokenizer: TextTokenizer, text: Any) -> Shown:
        if not isinstance(text, str):
            raise ValueError(f"expected a text, got {type(text).__name__}")
        config: Any = self.encoder.config
        window = tokenizer.windows(text, max_length=min(tokenizer.max_length, config.max_length))
        ids, offsets = window.input_ids[0], window.offsets[0].numpy()
        special = tuple(i for i, one in enumerate(ids.tolist()) if one in tokenizer.special_ids)
        spelled = tokenizer.tokens(ids.tolist())
        labels = [text[start:end] or spelled[i].replace("Ġ", " ") for i, (start, end) in enumerate(offsets)]
        return Shown(
            modality="text", batch={"input_ids": ids[None]}, labels=tuple(labels), special=special, offsets=offsets
        )

    def _picture(self, processor: ImageProcessor, source: Any) -> Shown:
        image = load_image(source)
        pixels = processor(image)["pixel_values"]
        with torch.inference_mode():
            grid = self.encoder.embeddings.project(pixels).grid  # type: ignore[operator, union-attr]
        values = pixels[0].numpy().transpose(1, 2, 0)
        if processor.do_normalize:
            values = values * np.array(processor.image_std) + np.array(processor.image_mean)
        seen = np.rint(values / (processor.rescale_factor if processor.do_rescale else 1)).clip(0, 255)
        return Shown(
            modality="vision",
            batch={"pixel_values": pixels},
            labels=tuple(f"{row + 1}, {column + 1}" for row in range(grid[0]) for column in range(grid[1])),
            class_tokens=1,
            picture=seen.astype(np.uint8),
            grid=grid,
        )


def _pretraining(
    folder_or_name: str | Path, method: Method | None, processor: AnyProcessor, open_options: Mapping[str, Any]
) -> Pretraining:
    """Student and teacher of a checkpoint, in eval mode and not to be trained."""
    options: dict[str, Any] = dict(open_options)
    if method is not None and method.decoder is not None:
        options["use_mask_token"] = False
    student = load_student(folder_or_name, **options)
    model = build_pretraining(student, method or _fitted(METHODS[student.config.model_type], student, processor))
    load_teacher(model, folder_or_name, **open_options)
    return model.eval().requires_grad_(False)


def _fitted(method: Method, student: PretrainedModel, processor: AnyProcessor) -> Method:
    """A published method for a student that may be shallower, or have another vocabulary."""
    config: Any = student.config
    targets = dataclasses.replace(method.targets, top_layers=min(method.targets.top_layers, config.num_hidden_layers))
    masking = method.masking
    if isinstance(masking, TokenMasking) and isinstance(processor, TextTokenizer):
        masking = dataclasses.replace(
            masking,
            vocab_size=config.vocab_size,
            mask_id=processor.mask_id,
            special_ids=tuple(sorted(processor.special_ids - {processor.mask_id})),
        )
    return dataclasses.replace(method, targets=targets, masking=masking)
