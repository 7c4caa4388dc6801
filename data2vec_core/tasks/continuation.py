"""How a text goes on."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from data2vec_core.tasks.reading import ReadingTask, whole_number
from data2vec_core.tasks.results import Continuation
from data2vec_core.text.heads import Data2VecTextForCausalLM

_UNFINISHED = "\ufffd"  # what the first bytes of a character decode to


class TextContinuer(ReadingTask[Data2VecTextForCausalLM]):
    """Writes on from the beginning of a text.

    The model reads a limited number of tokens: of a longer beginning only the last ones are read, as many as leave
    room for what is to be written.
    """

    name = "continue_text"
    model_class = Data2VecTextForCausalLM

    def __call__(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 30,
        temperature: float = 0.8,
        top_k: int = 50,
        top_p: float = 0.95,
        seed: int | None = None,
    ) -> Continuation:
        """Continue one text.

        Args:
            prompt: its beginning; spaces at the end are left out.
            max_new_tokens: most tokens to write; fewer where the text ends.
            temperature: above 1 draws more freely, below 1 more predictably; 0 always takes the likeliest token.
            top_k: draw from so many likeliest tokens; 0: from all.
            top_p: draw from the smallest set of tokens that has this probability.
            seed: the same gives the same text; None: another each time.

        Raises:
            ValueError: a prompt of nothing but white space or longer than allowed, more tokens to write than the model
                has room for, or a setting that breaks its rule.
        """
        pieces = self.stream(
            prompt, max_new_tokens=max_new_tokens, temperature=temperature, top_k=top_k, top_p=top_p, seed=seed
        )
        return Continuation(text=prompt.rstrip(" ") + "".join(pieces), model=self.model_name)

    def stream(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 30,
        temperature: float = 0.8,
        top_k: int = 50,
        top_p: float = 0.95,
        seed: int | None = None,
    ) -> Iterator[str]:
        """Continue one text piece by piece; arguments and errors are those of a call, the errors come at once.

        Closing the iterator stops the writing.

        Returns:
            what is written, a token or so at a time, without the prompt.
        """
        self._check(prompt, "prompt")
        generator = torch.Generator(self.model.device)
        if seed is None:
            generator.seed()
        else:
            generator.manual_seed(whole_number("seed", seed, 0, 2**63 - 1))
        room = self.window - whole_number("max_new_tokens", max_new_tokens, 1, self.window - 2)
        if not isinstance(temperature, int | float) or not 0 <= temperature <= 10:
            raise ValueError(f"temperature: expected a number from 0 to 10, got {temperature!r}")
        if not isinstance(top_p, int | float) or not 0 < top_p <= 1:
            raise ValueError(f"top_p: expected a number above 0, at most 1, got {top_p!r}")
        # of any length: what is cut off is the beginning; and without the sign that a text ends
        read = self.tokenizer(prompt.rstrip(" "), max_length=10**6)["input_ids"][0, :-1]
        input_ids = torch.cat([read[:1], read[1:][-(room - 1) :]])[None].to(self.model.device)  # (1, tokens)
        tokens = self.model.stream(
            input_ids,
            torch.ones_like(input_ids),
            max_new_tokens=max_new_tokens,
            do_sample=temperature > 0,
            temperature=temperature or 1.0,
            top_k=whole_number("top_k", top_k, 0, 10**6),
            top_p=top_p,
            generator=generator,
            zero_based_positions=False,  # as in training
        )
        return self._pieces(tokens)

    def _pieces(self, tokens: Iterator[Tensor]) -> Iterator[str]:
        """Tokens to text, as soon as their characters are whole."""
        written: list[int] = []
        shown = 0
        for token in tokens:
            written.append(int(token))
            text = self.tokenizer.decode(written)
            if len(text) > shown and not text.endswith(_UNFINISHED):
                yield text[shown:]
                shown = len(text)
        if rest := self.tokenizer.decode(written)[shown:].rstrip(_UNFINISHED):
            yield rest
