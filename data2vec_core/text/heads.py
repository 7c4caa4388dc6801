"""The text model with a head: language modelling, classification of texts, choices and tokens, question answering."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Unpack

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from data2vec_core.config import Data2VecTextConfig
from data2vec_core.losses import classification_loss, position_loss
from data2vec_core.outputs import CausalOutput, LogitsOutput, QuestionAnsweringOutput
from data2vec_core.text.generation import GeneratingModel
from data2vec_core.text.model import Data2VecTextModel, TextInputs, TextPretrainedModel


class LanguageModelHead(nn.Module):
    """Scores of every token of the vocabulary: linear layer, GELU, norm, then the table of tokens, transposed.

    The table is handed in where it is the word embeddings' (`tie_word_embeddings`); otherwise it is `decoder`.
    """

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        is_tied = config.tie_word_embeddings
        self.decoder = None if is_tied else nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, word_embeddings: nn.Embedding) -> Tensor:
        """(batch, tokens, dim) -> (batch, tokens, vocab)"""
        features = self.layer_norm(F.gelu(self.dense(hidden)))
        table = word_embeddings.weight if self.decoder is None else self.decoder.weight
        return F.linear(features, table, self.bias)


class LanguageModel(TextPretrainedModel):
    """Base of the two language models: the encoder, its head, and what tying means for files and resizing."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        self.backbone = Data2VecTextModel(config, add_pooling_layer=False)
        self.lm_head = LanguageModelHead(config)
        self.initialise()

    def score(self, hidden: Tensor) -> Tensor:
        """(batch, tokens, dim) -> logits (batch, tokens, vocab)"""
        return self.lm_head(hidden, self.get_input_embeddings())

    @torch.no_grad()
    def initialise_module(self, module: nn.Module) -> None:
        if isinstance(module, LanguageModelHead):
            module.bias.zero_()
        else:
            super().initialise_module(module)

    def resize_token_embeddings(self, new_num_tokens: int) -> nn.Embedding:
        old_size = self.config.vocab_size
        new = super().resize_token_embeddings(new_num_tokens)
        kept = min(new_num_tokens, old_size)
        with torch.no_grad():
            bias = self.lm_head.bias.new_zeros(new_num_tokens)
            bias[:kept] = self.lm_head.bias[:kept]
            self.lm_head.bias = nn.Parameter(bias, requires_grad=self.lm_head.bias.requires_grad)
            if (old := self.lm_head.decoder) is not None:
                decoder = nn.Linear(old.in_features, new_num_tokens, bias=False).to(old.weight)
                self.initialise_module(decoder)
                decoder.weight[:kept] = old.weight[:kept]
                decoder.weight.requires_grad_(old.weight.requires_grad)
                self.lm_head.decoder = decoder
        return new

    # The public format has two biases, `lm_head.bias` and `lm_head.decoder.bias`. They are one parameter when tied;
    # when not, only the decoder's is used. The decoder's table is in a file only where it is not the embeddings'.

    def adapt_public_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        adapted = dict(tensors)
        if (bias := adapted.pop("lm_head.decoder.bias", None)) is not None:
            adapted["lm_head.bias"] = bias
        if self.config.tie_word_embeddings:
            adapted.pop("lm_head.decoder.weight", None)
        return adapted

    def public_tensors(self) -> dict[str, Tensor]:
        tensors = super().public_tensors()
        if not self.config.tie_word_embeddings:
            tensors["lm_head.decoder.bias"] = self.lm_head.bias.clone()
        return tensors


class Data2VecTextForMaskedLM(LanguageModel):
    """Scores of the vocabulary at every position, for filling `<mask>`."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        if config.is_decoder:
            warnings.warn("a masked language model reads both ways; this one has is_decoder=True", stacklevel=2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        **inputs: Unpack[TextInputs],
    ) -> LogitsOutput:
        """Score tokens; with `labels` (batch, tokens), token ids or -100 for positions without one, also the loss."""
        encoded = self.backbone(input_ids, attention_mask, **inputs)
        logits = self.score(encoded.last_hidden_state)
        return LogitsOutput(
            loss=None if labels is None else position_loss(logits, labels, bound="vocab_size"),
            logits=logits,
            **encoded.recorded,
        )


class Data2VecTextForCausalLM(GeneratingModel, LanguageModel):
    """Scores of the next token at every position; writes text with `generate` and `stream`."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        if not config.is_decoder:
            warnings.warn("without is_decoder=True every token sees the later ones, so it cannot write", stacklevel=2)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **inputs: Unpack[TextInputs],
    ) -> CausalOutput:
        """Score next tokens.

        Args:
            labels: (batch, tokens) token ids, the same as `input_ids`, or -100 for tokens that are not to be
                predicted; shifted here. The result then has the loss, and no cache.
            logits_to_keep: score only so many last positions (0: all), or the positions of an index tensor.
        """
        if labels is not None:
            inputs["use_cache"] = False
        encoded = self.backbone(input_ids, attention_mask, **inputs)
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.score(encoded.last_hidden_state[:, kept])
        return CausalOutput(
            loss=None if labels is None else position_loss(logits[:, :-1], labels[:, 1:], bound="vocab_size"),
            logits=logits,
            past_key_values=encoded.past_key_values,
            **encoded.recorded,
            cross_attentions=encoded.cross_attentions,
        )


class Data2VecTextForSequenceClassification(TextPretrainedModel):
    """Classes of, or numbers about, a whole text."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        self.backbone = Data2VecTextModel(config, add_pooling_layer=False)
        self.classifier = SequenceClassifier(config)
        self.initialise()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        **inputs: Unpack[TextInputs],
    ) -> LogitsOutput:
        """Score classes; with `labels` also the loss (`classification_loss` says which)."""
        encoded = self.backbone(input_ids, attention_mask, **inputs)
        logits = self.classifier(encoded.last_hidden_state)
        return LogitsOutput(
            loss=None if labels is None else classification_loss(logits, labels, self.config),
            logits=logits,
            **encoded.recorded,
        )


class SequenceClassifier(nn.Module):
    """Head on the first token: dropout, linear layer, tanh, dropout, linear layer."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.dropout = nn.Dropout(classifier_dropout(config))
        self.out_proj = nn.Linear(config.hidden_size, config.class_count)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, tokens, dim) -> (batch, classes)"""
        features = torch.tanh(self.dense(self.dropout(hidden[:, 0])))
        return self.out_proj(self.dropout(features))


class Data2VecTextForMultipleChoice(TextPretrainedModel):
    """Which of several texts fits best."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        self.backbone = Data2VecTextModel(config)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, 1)
        self.initialise()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        **inputs: Unpack[TextInputs],
    ) -> LogitsOutput:
        """Score choices.

        All inputs have a dimension of choices after the batch's: `input_ids` and its companions are (batch, choices,
        tokens), `inputs_embeds` is (batch, choices, tokens, dim).

        Args:
            labels: (batch,) index of the right choice.

        Returns:
            logits (batch, choices); hidden states and attentions of (batch * choices) texts.
        """
        embeds = inputs.get("inputs_embeds")
        given = input_ids if input_ids is not None else embeds
        if given is None or given.dim() < 3:
            raise ValueError("multiple choice needs input_ids (batch, choices, tokens) or inputs_embeds with one more")
        choices = given.shape[1]
        inputs["token_type_ids"] = _flatten_choices(inputs.get("token_type_ids"))
        inputs["position_ids"] = _flatten_choices(inputs.get("position_ids"))
        inputs["inputs_embeds"] = _flatten_choices(embeds)
        encoded = self.backbone(_flatten_choices(input_ids), _flatten_choices(attention_mask), **inputs)
        logits = self.classifier(self.dropout(encoded.pooler_output)).unflatten(0, (-1, choices)).squeeze(-1)
        return LogitsOutput(
            loss=None if labels is None else position_loss(logits, labels, bound="choices"),
            logits=logits,  # (batch, choices)
            **encoded.recorded,
        )


class Data2VecTextForTokenClassification(TextPretrainedModel):
    """A class for every token."""

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        self.backbone = Data2VecTextModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(classifier_dropout(config))
        self.classifier = nn.Linear(config.hidden_size, config.class_count)
        self.initialise()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        labels: Tensor | None = None,
        **inputs: Unpack[TextInputs],
    ) -> LogitsOutput:
        """Score classes; with `labels` (batch, tokens), class ids or -100 for tokens without one, also the loss."""
        encoded = self.backbone(input_ids, attention_mask, **inputs)
        logits = self.classifier(self.dropout(encoded.last_hidden_state))
        return LogitsOutput(
            loss=None if labels is None else position_loss(logits, labels),
            logits=logits,
            **encoded.recorded,
        )


class Data2VecTextForQuestionAnswering(TextPretrainedModel):
    """Where in a text an answer starts and ends.

    Raises:
        ValueError: a configuration with other than two labels.
    """

    def __init__(self, config: Data2VecTextConfig) -> None:
        super().__init__(config)
        if config.num_labels != 2:
            raise ValueError(f"question answering needs num_labels=2 (start and end), got {config.num_labels}")
        self.backbone = Data2VecTextModel(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, 2)
        self.initialise()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        **inputs: Unpack[TextInputs],
    ) -> QuestionAnsweringOutput:
        """Score starts and ends; with both positions (batch,) also the loss. Positions at or past the end of the
        input are left out of it, negative ones count as 0."""
        encoded = self.backbone(input_ids, attention_mask, **inputs)
        start_logits, end_logits = self.qa_outputs(encoded.last_hidden_state).unbind(-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = (_span_loss(start_logits, start_positions) + _span_loss(end_logits, end_positions)) / 2
        return QuestionAnsweringOutput(
            loss=loss,
            start_logits=start_logits,
            end_logits=end_logits,
            **encoded.recorded,
        )


def classifier_dropout(config: Data2VecTextConfig) -> float:
    """Dropout rate of the sequence and token classifiers."""
    return config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout


def _flatten_choices(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.flatten(0, 1)


def _span_loss(logits: Tensor, positions: Tensor) -> Tensor:
    tokens = logits.shape[1]
    return F.cross_entropy(logits, positions.reshape(-1).clamp(0, tokens), ignore_index=tokens)
