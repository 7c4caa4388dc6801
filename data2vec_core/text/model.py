"""The text encoder, which as a decoder also reads causally, keeps a cache and looks at another encoder's output."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from data2vec_core.checkpoints.hub_keys import TEXT_KEYS
from data2vec_core.checkpoints.key_table import KeyTable
from data2vec_core.config import Data2VecTextConfig
from data2vec_core.config_base import Data2VecConfig
from data2vec_core.outputs import TextModelOutput
from data2vec_core.packing import Packing
from data2vec_core.pretrained import PretrainedModel, Recording
from data2vec_core.text.attention import make_block, self_attention_bias
from data2vec_core.text.cache import KeyValueCache
from data2vec_core.text.embeddings import TextEmbeddings
from data2vec_core.trace import Trace
from data2vec_core.transformer import BlockStack, padding_bias


class TextInputs(Recording, total=False):
    """What every text model takes beside `input_ids` and `attention_mask`; see `Data2VecTextModel.forward`."""

    token_type_ids: Tensor | None
    position_ids: Tensor | None
    inputs_embeds: Tensor | None
    encoder_hidden_states: Tensor | None
    encoder_attention_mask: Tensor | None
    past_key_values: KeyValueCache | None
    use_cache: bool | None
    without_padding: bool


class TextPretrainedModel(PretrainedModel):
    """Base of the text classes: configuration, names in files, initialisation, the table of tokens."""

    config_class: ClassVar[type[Data2VecConfig]] = Data2VecTextConfig
    key_table: ClassVar[KeyTable] = TEXT_KEYS
    optional_parts: ClassVar[tuple[str, ...]] = ("pooler.",)
    parts_of_fields: ClassVar[Mapping[str, str]] = {"add_cross_attention": "encoder.layers.*.cross_attention"}
    config: Data2VecTextConfig

    @torch.no_grad()
    def initialise_module(self, module: nn.Module) -> None:
        """Weights from N(0, initializer_range), biases 0, norms 1 and 0, padding rows 0, as the reference does."""
        match module:
            case nn.Linear():
                module.weight.normal_(std=self.config.initializer_range)
                if module.bias is not None:
                    module.bias.zero_()
            case nn.Embedding():
                module.weight.normal_(std=self.config.initializer_range)
                if module.padding_idx is not None:
                    module.weight[module.padding_idx].zero_()
            case nn.LayerNorm():
                module.reset_parameters()

    @property
    def base_model(self) -> Data2VecTextModel:
        """The encoder without a head."""
        backbone = super().base_model
        assert isinstance(backbone, Data2VecTextModel)
        return backbone

    def get_input_embeddings(self) -> nn.Embedding:
        """The table of word embeddings."""
        return self.base_model.embeddings.word_embeddings

    def resize_token_embeddings(self, new_num_tokens: int) -> nn.Embedding:
        """Change the number of tokens; returns the new table.

        Rows of tokens that stay are kept, new ones are drawn as at the start. The configurations follow. Nothing
        happens to other models that share the old table's memory, or to an optimiser that holds it.

        Args:
            new_num_tokens: must leave the padding token in the table.

        Raises:
            ValueError: too few tokens.
        """
        pad = self.config.pad_token_id
        if new_num_tokens <= pad:
            raise ValueError(f"new_num_tokens={new_num_tokens} leaves out the padding token {pad}")
        old = self.get_input_embeddings()
        new = nn.Embedding(
            new_num_tokens,
            old.embedding_dim,
            padding_idx=old.padding_idx,
            device=old.weight.device,
            dtype=old.weight.dtype,
        )
        self.initialise_module(new)
        kept = min(new_num_tokens, old.num_embeddings)
        with torch.no_grad():
            new.weight[:kept] = old.weight[:kept]
        new.weight.requires_grad_(old.weight.requires_grad)
        backbone = self.base_model
        backbone.embeddings.word_embeddings = new
        self.config = self.config.replace(vocab_size=new_num_tokens)
        backbone.config = backbone.embeddings.config = self.config
        return new


class Data2VecTextModel(TextPretrainedModel):
    """Embeddings and blocks (data2vec.md 2.2).

    Args:
        config: with `is_decoder`, attention is causal and keys and values can be cached; with `add_cross_attention`
            also, it looks at `encoder_hidden_states`.
        add_pooling_layer: whether the result has `pooler_output`. A checkpoint may lack the pooler's weights; they
            then start at random.
    """

    build_options = ("add_pooling_layer",)

    def __init__(self, config: Data2VecTextConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = TextEmbeddings(config)
        self.encoder = BlockStack([make_block(config) for _ in range(config.num_hidden_layers)])
        self.pooler = Pooler(config.hidden_size) if add_pooling_layer else None
        self.initialise()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        past_key_values: KeyValueCache | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        *,
        without_padding: bool = False,
        trace: Trace | None = None,
    ) -> TextModelOutput:
        """Encode tokens.

        Args:
            input_ids: (batch, tokens) int64; or else
            inputs_embeds: (batch, tokens, dim), in place of the word embeddings. Their positions count from the
                start even after a cache, as in the reference: give `position_ids` there.
            attention_mask: nonzero where a key may be looked at; (batch, keys), where keys are the cached tokens and
                the new ones; (batch, tokens, keys); (batch, 1 or heads, tokens, keys), boolean, or floating-point
                and then added to the scores. With three or four dimensions it has to include causality.
            token_type_ids: (batch, tokens) int64; zeros when None.
            position_ids: (batch or 1, tokens) int64; by RoBERTa's rule when None: the first real token has
                `pad_token_id + 1`.
            encoder_hidden_states: (batch, encoder positions, dim), for cross-attention.
            encoder_attention_mask: (batch, encoder positions), nonzero where they are real.
            past_key_values: cache of earlier tokens, extended in place. A decoder's only.
            use_cache: return the cache, a new one if none was given; a decoder's default is `config.use_cache`.
                Training with gradient checkpointing goes without, and warns when one is given.
            output_attentions, output_hidden_states: by the configuration when None.
            without_padding: compute the real positions of each sequence alone, as `attention_mask` (batch, tokens)
                has them (see `data2vec_core.packing`): the same numbers there in less time, zeros for padding. Of an
                encoder only; a trace can record hidden states.
            trace: what else to record or replace.

        Raises:
            ValueError: not exactly one of `input_ids` and `inputs_embeds`; ids outside their tables or a sequence
                too long; inputs or a mask of another shape; a cache that is none of ours; a cache or encoder
                states for a model that takes none; `without_padding` for a decoder.
        """
        if (input_ids is None) == (inputs_embeds is None):
            raise ValueError("give exactly one of input_ids and inputs_embeds")
        if input_ids is not None and input_ids.dim() != 2:
            raise ValueError(f"input_ids must be (batch, tokens), got shape {tuple(input_ids.shape)}")
        if inputs_embeds is not None and inputs_embeds.dim() != 3:
            raise ValueError(f"inputs_embeds must be (batch, tokens, dim), got shape {tuple(inputs_embeds.shape)}")
        if encoder_hidden_states is not None and not self.config.add_cross_attention:
            raise ValueError("encoder_hidden_states needs a model with is_decoder=True and add_cross_attention=True")
        if past_key_values is not None and not self.config.is_decoder:
            raise ValueError("past_key_values needs a model with is_decoder=True")
        if past_key_values is not None and not isinstance(past_key_values, KeyValueCache):
            raise ValueError(f"past_key_values must be a KeyValueCache, got {type(past_key_values).__name__}")
        if without_padding and self.config.is_decoder:
            raise ValueError("without_padding is for encoders; this model has is_decoder=True")
        cache, returned_cache = self._caches(past_key_values, use_cache)
        past_length = 0 if cache is None else cache.length
        trace = self._trace_for(trace, output_hidden_states, output_attentions)

        embedded = self.embeddings(
            input_ids,
            inputs_embeds=inputs_embeds,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            past_length=past_length,
        )
        packing = Packing.of(attention_mask) if without_padding and attention_mask is not None else None
        tokens = embedded.shape[1]
        inputs: dict[str, Any] = {"packing": packing}
        if packing is None:
            inputs["bias"] = self_attention_bias(
                attention_mask,
                queries=tokens,
                keys=past_length + tokens,
                is_causal=self.config.is_decoder,
                like=embedded,
            )
        elif packing.is_real.shape != embedded.shape[:2]:
            raise ValueError(
                f"attention_mask has shape {tuple(packing.is_real.shape)}, the input is {tuple(embedded.shape[:2])}"
            )
        else:
            embedded = packing.pack(embedded)
        if encoder_hidden_states is not None:
            inputs["context"] = encoder_hidden_states
            inputs["context_bias"] = padding_bias(encoder_attention_mask, embedded.dtype)
        last = self.encoder.run(embedded, caches=cache, trace=trace, **inputs)
        if packing is not None:
            last = packing.unpack(last)

        recorded = self._recorded(trace, output_hidden_states, output_attentions)
        return TextModelOutput(
            last_hidden_state=last,
            pooler_output=None if self.pooler is None else self.pooler(last),
            past_key_values=returned_cache,
            cross_attentions=None if trace is None or recorded["attentions"] is None else trace.all("cross_attention"),
            **recorded,
        )

    def _caches(
        self, given: KeyValueCache | None, use_cache: bool | None
    ) -> tuple[KeyValueCache | None, KeyValueCache | None]:
        """The cache to read and extend, and the one to return."""
        if self.encoder.gradient_checkpointing and self.training:
            if given is not None:
                warnings.warn(
                    "past_key_values is left out, and the tokens in it are not seen: gradient checkpointing computes "
                    "every block twice, and would extend it twice",
                    stacklevel=2,
                )
            return None, None
        is_wanted = self.config.is_decoder and (self.config.use_cache if use_cache is None else use_cache)
        cache = KeyValueCache(len(self.encoder.layers)) if given is None and is_wanted else given
        return cache, cache if is_wanted else None


class Pooler(nn.Module):
    """The first token's state through a linear layer and tanh: one vector for the whole sequence."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dense = nn.Linear(dim, dim)

    def forward(self, hidden: Tensor) -> Tensor:
        """(batch, tokens, dim) -> (batch, dim)"""
        return torch.tanh(self.dense(hidden[:, 0]))
