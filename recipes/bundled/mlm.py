"""`mlm`: the words behind `<mask>`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from data2vec_core import Data2VecTextForMaskedLM
from data2vec_core.checkpoints.card import Card, Metric
from data2vec_core.pretraining.schedule import WarmupCosine
from data2vec_core.processing.text import TextTokenizer
from recipes.bundled.model import BundledModel
from recipes.bundled.running_text import LICENCE, TRAINED_ON, examples
from recipes.finetuning.language import MaskedLanguage, Text, masked_cross_entropy
from recipes.finetuning.plan import FinePlan
from recipes.finetuning.start import Start
from recipes.packs import Split

CARD = Card(
    name="mlm",
    modality="text",
    task="mask filling",
    title="Words behind <mask> (English)",
    description=(
        "Says which tokens may stand where a text has <mask>, by the words on either side. Its perplexity is that of "
        "15 % of the tokens, drawn with a fixed seed, every one behind <mask>, in windows of 128 tokens that do not "
        "overlap: the exponential of their mean cross-entropy, in tokens of its own vocabulary of 8,000."
    ),
    trained_on=TRAINED_ON,
    training_items=36_087,
    baseline="perplexity 1,286 at the same places (how frequent each token is)",
    advice=(
        "Try a sentence of a film review or an encyclopaedia with one <mask>. It has read little: it knows which words "
        "are common near others, not what is true."
    ),
    licence=LICENCE,
    parent="causal",  # from `text` itself a thousand steps taught it little more than how frequent tokens are
)
PLAN = FinePlan(
    schedule=WarmupCosine(peak=1e-3, total=2600, warmup=150),
    weight_decay=0.05,
    fixed=("backbone.embeddings.word_embeddings.",),  # they have been learnt by now, and one copy is enough
    score_every=325,
    bf16=("cpu", "cuda"),
)
TOKENS = 2048
"""In a batch."""
HIDDEN = 0.2
"""Share of the tokens; a little more than in scoring, so that a step has more to learn from."""


def tuning(start: Start, plan: FinePlan, train: Sequence[Text], valid: Sequence[Text]) -> MaskedLanguage:
    """With little dropout: the text is read twice."""
    return MaskedLanguage(
        start,
        plan,
        train,
        valid,
        tokens=TOKENS,
        hidden=HIDDEN,
        hidden_dropout_prob=0.05,
        attention_probs_dropout_prob=0.0,
    )


def evaluate(model: str | Path, data: Path, split: Split) -> list[Metric]:
    """Perplexity of hidden tokens; the card's description has the protocol."""
    loaded, tokenizer = Data2VecTextForMaskedLM.from_pretrained(model).eval(), TextTokenizer.from_pretrained(model)
    texts = [example.content for example in examples(data, split)]
    return [Metric("perplexity", masked_cross_entropy(loaded, tokenizer, texts).perplexity, split)]


MODEL = BundledModel(card=CARD, plan=PLAN, examples=examples, tuning=tuning, evaluate=evaluate)
