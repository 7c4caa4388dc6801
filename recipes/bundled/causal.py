"""`causal`: how a text goes on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core import Data2VecTextForCausalLM
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.text import TextTokenizer
from recipes.bundled.model import BundledModel
from recipes.bundled.running_text import LICENCE, TRAINED_ON, examples
from recipes.finetuning.language import CausalLanguage, Text, causal_cross_entropy
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.packs import Split

CARD = Card(
    name="causal",
    modality="text",
    task="continuation",
    title="How a text goes on (English)",
    description=(
        "Writes on from a beginning, token by token, in lower case. Its perplexity is that of every token of the text, "
        "in windows of 128 tokens that overlap by 64, so that all but the first tokens of a document have at least 64 "
        "before them: the exponential of their mean cross-entropy, in tokens of its own vocabulary of 8,000."
    ),
    trained_on=TRAINED_ON,
    training_items=36_087,
    baseline="perplexity 159.6 of the same tokens (trigrams, interpolated Kneser-Ney)",
    advice=(
        "Begin like a film review, a speech or a request to an assistant. What it writes sounds like its texts "
        "for a few words and means nothing: believe none of it."
    ),
    licence=LICENCE,
    parent="text",
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1.5e-3, total=3800, warmup=200),
    weight_decay=0.05,
    score_every=475,
    bf16=("cpu", "cuda"),
)
TOKENS = 2048
"""In a batch."""


def tuning(start: Start, plan: FinePlan, train: Sequence[Text], valid: Sequence[Text]) -> CausalLanguage:
    """With little dropout: the text is read three times."""
    return CausalLanguage(
        start, plan, train, valid, tokens=TOKENS, hidden_dropout_prob=0.05, attention_probs_dropout_prob=0.0
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Perplexity of every token; the card's description has the protocol."""
    loaded, tokenizer = Data2VecTextForCausalLM.from_pretrained(model).eval(), TextTokenizer.from_pretrained(model)
    texts = [example.content for example in examples(data, split)]
    return [Metric("perplexity", causal_cross_entropy(loaded, tokenizer, texts).perplexity, split)]


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate)
