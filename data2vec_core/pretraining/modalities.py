"""Where speech, text and vision differ: what is read, what is hidden, what the teacher sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from data2vec_core.audio.model import Data2VecAudioModel, Frames
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.pretraining.decoder import PatchDecoder
from data2vec_core.pretraining.masking import FrameSpans, InverseBlocks, Mask, MaskedTokens, PatchMasking, TokenMasking
from data2vec_core.pretraining.method import Method
from data2vec_core.pretraining.model import Batch, Data2VecPretraining
from data2vec_core.pretraining.presets import METHODS
from data2vec_core.text.model import Data2VecTextModel
from data2vec_core.trace import Trace
from data2vec_core.vision.embeddings import Patches
from data2vec_core.vision.model import Data2VecVisionModel


class AudioPretraining(Data2VecPretraining[Data2VecAudioModel, Frames, Mask]):
    """Speech. The convolutions run once, and learn through the student alone; the teacher reads what they gave before
    dropout and mask (data2vec.md 5.2).

    The original pads frames to an even number before the blocks; this does not, like the public models.
    """

    masking_class = FrameSpans
    masking: FrameSpans

    def check_student(self, student: Data2VecAudioModel) -> None:
        if student.masked_spec_embed is None or not student.config.apply_spec_augment:
            raise ValueError("the student needs a mask embedding: mask_time_prob above 0 and apply_spec_augment=True")
        if student.adapter is not None:
            raise ValueError("the student has an adapter, which the targets know nothing of: add_adapter=False")

    def prepare(self, batch: Batch) -> Frames:
        return self.student.frames(batch["input_values"], batch.get("attention_mask"))

    def draw(
        self, inputs: Frames, generators: Sequence[torch.Generator], fewest_of_all: Callable[[int], int] = int
    ) -> Mask:
        batch, size = inputs.projected.shape[:2]
        lengths = torch.full((batch,), size) if inputs.is_real is None else inputs.is_real.sum(dim=1)
        return self.masking(self.per_mask(lengths), size, generators, fewest_of_all)

    def watch(self, inputs: Frames, mask: Mask, trace: Trace) -> Tensor | None:  # noqa: ARG002
        self.teacher.model(inputs.projected.detach().float(), inputs.is_real, trace)
        return None if self.method.fairseq_compat else inputs.is_real

    def study(self, inputs: Frames, mask: Mask, trace: Trace | None = None) -> Tensor:
        copies = Frames(
            self.per_mask(inputs.features),
            self.per_mask(inputs.projected),
            None if inputs.is_real is None else self.per_mask(inputs.is_real),
        )
        return self.student.encode(copies, mask.is_masked.to(inputs.projected.device), trace)


@dataclass(frozen=True)
class Tokens:
    """A batch of text."""

    input_ids: Tensor
    """(batch, tokens) int64"""
    is_real: Tensor
    """(batch, tokens), False for padding."""


class TextPretraining(Data2VecPretraining[Data2VecTextModel, Tokens, MaskedTokens]):
    """Text. The teacher reads the whole sentence; by `fairseq_compat` only the chosen tokens."""

    masking_class = TokenMasking
    masking: TokenMasking

    def check_student(self, student: Data2VecTextModel) -> None:
        if student.pooler is not None:
            raise ValueError("the student's pooler would never be trained: build it with add_pooling_layer=False")
        if student.config.is_decoder:
            raise ValueError("the student must see both sides of a token: is_decoder=False")
        if self.masking.vocab_size != student.config.vocab_size:
            raise ValueError(
                f"method.masking.vocab_size={self.masking.vocab_size}, "
                f"the student has {student.config.vocab_size} tokens"
            )

        if self.method.fairseq_compat and self.method.masks_per_sample > 1:
            raise ValueError(
                "method.fairseq_compat: the teacher reads the chosen tokens of one mask, "
                f"so masks_per_sample={self.method.masks_per_sample} must be 1"
            )

    def prepare(self, batch: Batch) -> Tokens:
        ids, is_real = batch["input_ids"], batch.get("attention_mask")
        return Tokens(ids, (ids != self.student.config.pad_token_id) if is_real is None else is_real.bool())

    def draw(
        self,
        inputs: Tokens,
        generators: Sequence[torch.Generator],
        fewest_of_all: Callable[[int], int] = int,  # noqa: ARG002
    ) -> MaskedTokens:
        return self.masking(self.per_mask(inputs.input_ids.cpu()), generators)

    def watch(self, inputs: Tokens, mask: MaskedTokens, trace: Trace) -> Tensor:
        ids, is_real = inputs.input_ids, inputs.is_real
        if self.method.fairseq_compat:
            is_real = mask.is_masked.to(ids.device)
            ids = ids.where(is_real, self.student.config.pad_token_id)
        self.teacher.model(ids, is_real, trace=trace)
        return is_real

    def study(self, inputs: Tokens, mask: MaskedTokens, trace: Trace | None = None) -> Tensor:
        masked_ids = mask.input_ids.to(inputs.input_ids.device)
        return self.student(masked_ids, self.per_mask(inputs.is_real), trace=trace).last_hidden_state

    def scored(self, mask: MaskedTokens) -> Tensor:
        if self.method.fairseq_compat:
            return mask.is_masked & (mask.input_ids == self.masking.mask_id)
        return mask.is_masked


@dataclass(frozen=True)
class Pictures:
    """A batch of pictures."""

    pixel_values: Tensor
    """(batch, channels, height, width): what the teacher reads."""
    patches: Patches
    """What the student reads; like the frames of speech, projected once for all masks."""


class VisionPretraining(Data2VecPretraining[Data2VecVisionModel, Pictures, Mask]):
    """Vision. The class token is never masked nor predicted."""

    masking_class = PatchMasking
    masking: PatchMasking
    class_tokens = 1
    decoder_class = PatchDecoder

    def check_student(self, student: Data2VecVisionModel) -> None:
        if self.method.decoder is None and student.embeddings.mask_token is None:
            raise ValueError("the student needs a mask token: use_mask_token=True")
        if self.method.decoder is not None and student.embeddings.mask_token is not None:
            raise ValueError("with a decoder the student's mask token would never be trained: use_mask_token=False")
        if self.method.decoder is not None and not isinstance(self.masking, InverseBlocks):
            raise ValueError(
                "with a decoder every picture must show as many patches: method.masking must be InverseBlocks, "
                f"got {type(self.masking).__name__}"
            )
        if student.config.use_mean_pooling:
            raise ValueError("the head reads the final norm, which the student lacks: use_mean_pooling=False")
        if student.pooler is not None:
            raise ValueError("the student's pooler would never be trained: build it with add_pooling_layer=False")

    def prepare(self, batch: Batch) -> Pictures:
        return Pictures(batch["pixel_values"], self.student.embeddings.project(batch["pixel_values"]))

    def draw(
        self,
        inputs: Pictures,
        generators: Sequence[torch.Generator],
        fewest_of_all: Callable[[int], int] = int,  # noqa: ARG002
    ) -> Mask:
        count = len(inputs.pixel_values) * self.method.masks_per_sample
        return self.masking(count, inputs.patches.grid, generators)

    def watch(self, inputs: Pictures, mask: Mask, trace: Trace) -> Tensor:  # noqa: ARG002
        positions = self.teacher.model(inputs.pixel_values.float(), trace=trace).last_hidden_state.shape[:2]
        is_counted = torch.ones(positions, dtype=torch.bool, device=inputs.pixel_values.device)
        is_counted[:, : self.class_tokens] = False
        return is_counted

    def study(self, inputs: Pictures, mask: Mask, trace: Trace | None = None) -> Tensor:
        copies = Patches(self.per_mask(inputs.patches.projected), inputs.patches.grid)
        device = copies.projected.device
        if self.decoder is None:
            return self.student.encode(copies, mask.is_masked.to(device), trace=trace)[:, 1:]
        visible = visible_patches(mask).to(device)
        encoded = self.student.encode(copies, visible=visible, trace=trace)[:, 1:]
        return self.decoder(encoded, visible, copies.grid)


def visible_patches(mask: Mask) -> Tensor:
    """(batch, visible) int64, numbers of the patches that a mask leaves to see.

    Raises:
        ValueError: not as many of every picture, or none.
    """
    counts = (~mask.is_masked).sum(dim=1)
    if counts.min() != counts.max() or not counts.max():
        raise ValueError(
            f"mask: with a decoder every picture must show as many patches, got {counts.min()} to {counts.max()}"
        )
    return (~mask.is_masked).nonzero()[:, 1].view(len(counts), -1)


def build_pretraining(student: PretrainedModel, method: Method | None = None) -> Data2VecPretraining:
    """Student, teacher and head, by the student's modality.

    Args:
        student: an encoder without a head; trained in place.
        method: the paper's (`METHODS`) when None; that of text is for the public vocabulary.

    Raises:
        ValueError: the student cannot learn this way; the message says what to change.
    """
    method = METHODS[student.config.model_type] if method is None else method
    match student:
        case Data2VecAudioModel():
            return AudioPretraining(student, method)
        case Data2VecTextModel():
            return TextPretraining(student, method)
        case Data2VecVisionModel():
            return VisionPretraining(student, method)
    raise ValueError(f"student: expected one of the three encoders without a head, got {type(student).__name__}")
