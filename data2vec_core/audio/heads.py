"""Speech heads that score: transcription by CTC, classification of clips and of frames."""

from __future__ import annotations

from typing import Any, Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.audio.lengths import frame_count, frame_mask
from data2vec_core.audio.model import AudioInputs, AudioPretrainedModel, Data2VecAudioModel
from data2vec_core.config import Data2VecAudioConfig
from data2vec_core.losses import classification_loss, position_loss
from data2vec_core.outputs import AudioModelOutput, LogitsOutput
from data2vec_core.trace import Trace


class Data2VecAudioForCTC(AudioPretrainedModel):
    """A character for every frame; trained and decoded by connectionist temporal classification."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__(config)
        self.backbone = Data2VecAudioModel(config)
        self.dropout = nn.Dropout(config.final_dropout)
        self.lm_head = nn.Linear(config.output_size, config.vocab_size)
        self.initialise()

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **inputs: Unpack[AudioInputs],
    ) -> LogitsOutput:
        """Score every character at every frame.

        Args:
            input_values: (batch, samples), as `Data2VecAudioModel` takes them.
            attention_mask: (batch, samples), 1 where real.
            labels: (batch, characters) ids; negative ids and the blank are padding.

        Returns:
            `logits` (batch, frames, vocab), after the adapter where there is one, and the `loss`.

        Raises:
            ValueError: labels of another shape, or one that is not in the vocabulary.
        """
        if labels is not None:
            self._check_labels(labels, len(input_values))
        encoded: AudioModelOutput = self.backbone(
            input_values,
            attention_mask,
            **inputs,
        )
        logits = self.lm_head(self.dropout(encoded.last_hidden_state))
        loss = None
        if labels is not None:
            if attention_mask is None:
                samples = torch.full((len(labels),), input_values.shape[1], device=labels.device)
            else:
                samples = attention_mask.long().sum(dim=-1)
            loss = self.ctc_loss(logits, frame_count(samples, self.config, after_adapter=True), labels)
        return LogitsOutput(loss=loss, logits=logits, **encoded.recorded)

    def _check_labels(self, labels: Tensor, batch: int) -> None:
        if labels.dim() != 2 or len(labels) != batch or labels.shape[1] == 0:
            raise ValueError(f"labels must be ({batch}, characters), at least one, got shape {tuple(labels.shape)}")
        if labels.max() >= self.config.vocab_size:
            raise ValueError(f"labels must be below vocab_size={self.config.vocab_size}, got {int(labels.max())}")

    def ctc_loss(self, logits: Tensor, frames: Tensor, labels: Tensor) -> Tensor:
        """CTC loss, reduced as the configuration says.

        Args:
            logits: (batch, frames, vocab).
            frames: (batch,) real frames of each item.
            labels: (batch, characters) ids; negative ids and the blank are padding.

        Raises:
            ValueError: `pad_token_id`, which serves as the blank, is not in the vocabulary.
        """
        config = self.config
        blank = config.pad_token_id or 0
        if not 0 <= blank < config.vocab_size:
            raise ValueError(f"pad_token_id={blank} is the blank, and has to be below vocab_size={config.vocab_size}")
        is_target = (labels >= 0) & (labels != config.pad_token_id)
        # float32 and PyTorch's own kernel, as in the reference: half precision and cuDNN's kernel lose accuracy here
        log_probabilities = F.log_softmax(logits, dim=-1, dtype=torch.float32).transpose(0, 1)
        with torch.backends.cudnn.flags(enabled=False):
            return F.ctc_loss(
                log_probabilities,
                labels[is_target],
                frames,
                is_target.sum(dim=-1),
                blank=blank,
                reduction=config.ctc_loss_reduction,
                zero_infinity=config.ctc_zero_infinity,
            )


class LayerMixingModel(AudioPretrainedModel):
    """Base of the heads that can read a learnt mix of all hidden states (SUPERB, arXiv 2105.01051)."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__(config)
        if config.add_adapter:
            raise ValueError(f"{type(self).__name__} has no use for an adapter: set add_adapter=False")
        self.backbone = Data2VecAudioModel(config)
        states = config.num_hidden_layers + 1
        self.layer_weights = nn.Parameter(torch.empty(states)) if config.use_weighted_layer_sum else None

    def initialise_module(self, module: nn.Module) -> None:
        super().initialise_module(module)
        if module is self and self.layer_weights is not None:
            nn.init.constant_(self.layer_weights, 1 / len(self.layer_weights))

    def encode(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None,
        inputs: AudioInputs,
    ) -> tuple[Tensor, dict[str, Any]]:
        """What the head reads (batch, frames, dim), and the result's recorded fields."""
        trace = inputs.get("trace")
        if self.layer_weights is not None:
            trace = (Trace() if trace is None else trace).also("hidden")
            inputs = {**inputs, "trace": trace}
        encoded: AudioModelOutput = self.backbone(
            input_values,
            attention_mask,
            **inputs,
        )
        hidden = encoded.last_hidden_state
        if self.layer_weights is not None and trace is not None:
            hidden = torch.einsum("l,lbtd->btd", self.layer_weights.softmax(dim=0), trace.stack("hidden"))
        return hidden, encoded.recorded


class Data2VecAudioForSequenceClassification(LayerMixingModel):
    """One class for a whole clip, from the mean over its frames."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__(config)
        self.projector = nn.Linear(config.hidden_size, config.classifier_proj_size)
        self.classifier = nn.Linear(config.classifier_proj_size, config.class_count)
        self.initialise()

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **inputs: Unpack[AudioInputs],
    ) -> LogitsOutput:
        """Score every class.

        Args:
            input_values: (batch, samples), as `Data2VecAudioModel` takes them.
            attention_mask: (batch, samples), 1 where real; frames of padding are left out of the mean.
            labels: (batch,) class ids. The loss is cross-entropy, of any number of classes, as in the reference; only
                a configuration that states a `problem_type` gets the others of `classification_loss`.

        Returns:
            `logits` (batch, classes), and the `loss`.
        """
        hidden, recorded = self.encode(input_values, attention_mask, inputs)
        projected = self.projector(hidden)
        if attention_mask is None:
            pooled = projected.mean(dim=1)
        else:
            is_real = frame_mask(attention_mask, projected.shape[1], self.config).unsqueeze(-1).to(projected.dtype)
            pooled = (projected * is_real).sum(dim=1) / is_real.sum(dim=1).clamp(min=1)
        logits = self.classifier(pooled)
        loss = None
        if labels is not None:
            stated = self.config.problem_type is not None
            loss = classification_loss(logits, labels, self.config) if stated else position_loss(logits, labels)
        return LogitsOutput(loss=loss, logits=logits, **recorded)


class Data2VecAudioForAudioFrameClassification(LayerMixingModel):
    """One class for every frame, such as who speaks."""

    def __init__(self, config: Data2VecAudioConfig) -> None:
        super().__init__(config)
        self.classifier = nn.Linear(config.hidden_size, config.class_count)
        self.initialise()

    def forward(
        self,
        input_values: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        **inputs: Unpack[AudioInputs],
    ) -> LogitsOutput:
        """Score every class at every frame.

        Args:
            input_values: (batch, samples), as `Data2VecAudioModel` takes them.
            attention_mask: (batch, samples), 1 where real.
            labels: (batch, frames, classes) of 0 and 1, of which the largest counts, as in the reference; or
                (batch, frames) class ids, where -100 leaves a frame out.

        Returns:
            `logits` (batch, frames, classes), and the `loss`.
        """
        hidden, recorded = self.encode(input_values, attention_mask, inputs)
        logits = self.classifier(hidden)
        loss = None
        if labels is not None:
            loss = position_loss(logits, labels.argmax(dim=-1) if labels.dim() == 3 else labels)
        return LogitsOutput(loss=loss, logits=logits, **recorded)
