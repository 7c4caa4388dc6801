"""Text without labels, from which both language models are learnt: what their encoder has read, too."""

from __future__ import annotations

from pathlib import Path

from recipes.backbones.text import documents_of, texts_of_packs
from recipes.finetuning.language import Text
from recipes.packs import Split

TRAINED_ON = (
    "1.3 million words of Wikipedia, speeches, film reviews and the American National Corpus, and the train sentences, "
    "without labels, of SST-2, Subjectivity, TREC, SNIPS, WNUT-17, XQuAD and COPA"
)
LICENCE = "CC-BY-SA-4.0 (the strictest of its texts')"


def examples(data: Path, split: Split) -> list[Text]:
    """Documents of the unlabelled text; of the train split also the labelled packs' sentences."""
    texts = sum(texts_of_packs(data), []) if split == "train" else documents_of(data, split)
    return [Text(text, None) for text in texts]
