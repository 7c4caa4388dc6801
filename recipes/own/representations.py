"""Raw items of a folder as an encoder represents them: window by window, position by position, in bounded memory.

A long recording or text is read in windows that the model can take; where each of their positions lies in the item goes
along. Speech is never padded, since padding would leak into real frames (data2vec.md 9.1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from data2vec_core.audio.lengths import frame_count
from data2vec_core.checkpoints.card import Modality
from data2vec_core.pretrained import PretrainedModel
from data2vec_core.processing.audio import SpeechFeatureExtractor
from data2vec_core.processing.audio_errors import AudioTooShortError
from data2vec_core.processing.audio_io import stream_audio
from data2vec_core.processing.image import ImageProcessor
from data2vec_core.processing.samples import Waveform
from data2vec_core.processing.text import TextTokenizer
from data2vec_core.trace import Trace
from recipes.own.folders import Entry, Folder
from recipes.own.text_files import DamagedTextError, holds_paragraphs, read_paragraphs, read_pieces


@dataclass(frozen=True)
class Window:
    """One row of the model's input."""

    item: int
    """Of which sound, text or picture."""
    label: Mapping[str, Any]
    """What tells the item from others in a table."""
    values: Tensor
    """(samples,), (tokens,) or (channels, height, width)."""
    is_counted: NDArray[np.bool_]
    """(positions,), False for special tokens and the class token."""
    positions: Mapping[str, Sequence[Any]]
    """Where the counted positions lie in the item, by the reader's columns."""


class Reader(ABC):
    """Items of a folder, by number, as windows for a model."""

    columns: ClassVar[Mapping[str, type]]
    """What `Window.positions` has."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self._ends = list(accumulate(entry.items for entry in folder.entries))

    def locate(self, item: int) -> tuple[Entry, int]:
        """The file of an item, and which of the file's items it is."""
        place = bisect_right(self._ends, item)
        entry = self.folder.entries[place]
        return entry, item - self._ends[place] + entry.items

    def name(self, item: int) -> str:
        """Of the file that an item is in, relative to the folder."""
        return self.locate(item)[0].name

    @abstractmethod
    def windows(self, item: int) -> Iterator[Window]:
        """Read an item.

        Raises:
            ValueError, OSError: it cannot be read, though the scan found nothing wrong with it.
        """

    def fit(self, first: Window, second: Window) -> bool:
        """Whether two windows may share a batch."""
        return first.values.shape == second.values.shape

    @abstractmethod
    def stack(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        """The model's arguments for a batch."""


class SoundReader(Reader):
    """Sounds in windows that cut no frame, so that the frames of all windows are those of the whole sound.

    Args:
        seconds: of a window; the last has half to one and a half times as much. Each is normalised by itself.
    """

    columns: ClassVar[Mapping[str, type]] = {"start": float, "end": float}

    def __init__(self, folder: Folder, checkpoint: str | Path, model: PretrainedModel, seconds: float) -> None:
        super().__init__(folder)
        self._extract = SpeechFeatureExtractor.from_pretrained(checkpoint)
        self._config = model.config
        self._window = max(1, round(seconds * self._extract.sampling_rate))
        if frame_count(self._window, self._config) < 1:
            raise ValueError(f"window: {seconds:g} s are too short for one frame of this model")

    def windows(self, item: int) -> Iterator[Window]:
        config, rate = self._config, self._extract.sampling_rate
        frames = frame_count(self._window, config)
        hop = frames * config.inputs_to_logits_ratio
        needed = (frames - 1) * config.inputs_to_logits_ratio + config.receptive_field
        rest, first = np.zeros(0, np.float32), 0
        for block in stream_audio(self.folder.path(self.locate(item)[0]), target_rate=rate):
            rest = np.concatenate([rest, block])
            while len(rest) >= self._window + self._window // 2:
                yield self._window_of(item, rest[:needed], first)
                rest, first = rest[hop:], first + frames
        if len(rest) < config.receptive_field and first == 0:
            raise AudioTooShortError(f"The sound is too short: {len(rest)} samples.")
        if len(rest) >= config.receptive_field:
            yield self._window_of(item, rest, first)

    def _window_of(self, item: int, samples: Waveform, first: int) -> Window:
        stride, rate = self._config.inputs_to_logits_ratio, self._extract.sampling_rate
        count = frame_count(len(samples), self._config)
        starts = (first + np.arange(count)) * stride
        ends = starts + self._config.receptive_field
        values = self._extract(np.ascontiguousarray(samples))["input_values"][0]
        label = {"path": self.name(item)}
        return Window(item, label, values, np.ones(count, bool), {"start": starts / rate, "end": ends / rate})

    def stack(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        return {"input_values": torch.stack([window.values for window in windows])}


class TextReader(Reader):
    """Texts in windows of the model's length. Offsets are in characters of the document or paragraph."""

    columns: ClassVar[Mapping[str, type]] = {"token": str, "start": int, "end": int}

    def __init__(self, folder: Folder, checkpoint: str | Path, model: PretrainedModel) -> None:
        super().__init__(folder)
        self._tokenizer = TextTokenizer.from_pretrained(checkpoint)
        self._length = min(self._tokenizer.max_length, model.config.max_length)
        self._paragraphs: Iterator[tuple[int, str]] = iter(())
        self._place = ("", 0)
        """File of the open paragraphs, and which of its paragraphs comes next."""

    def windows(self, item: int) -> Iterator[Window]:
        entry, number = self.locate(item)
        line, pieces = self._paragraph(entry, number) if holds_paragraphs(entry.name) else (None, self._document(entry))
        for start, piece in pieces:
            tokenized = self._tokenizer.windows(piece, max_length=self._length)
            for row, is_real in enumerate(tokenized.attention_mask.bool()):
                ids = tokenized.input_ids[row, is_real]
                is_counted = tokenized.sequence[row, is_real] >= 0
                begins, ends = (tokenized.offsets[row, is_real][is_counted] + start).numpy().T
                positions = {"token": self._tokenizer.tokens(ids[is_counted]), "start": begins, "end": ends}
                yield Window(item, {"path": entry.name, "line": line}, ids, is_counted.numpy(), positions)

    def _document(self, entry: Entry) -> Iterator[tuple[int, str]]:
        return read_pieces(self.folder.path(entry))

    def _paragraph(self, entry: Entry, number: int) -> tuple[int, Iterator[tuple[int, str]]]:
        """Line of a paragraph and the one piece that it is. Reading on from the last one costs nothing extra."""
        if self._place[0] != entry.name or self._place[1] > number:
            self._paragraphs, self._place = read_paragraphs(self.folder.path(entry)), (entry.name, 0)
        found = next(islice(self._paragraphs, number - self._place[1], None), None)
        self._place = (entry.name, number + 1)
        if found is None:
            raise DamagedTextError("The file has fewer paragraphs than before.")
        return found[0], iter([(0, found[1])])

    def fit(self, first: Window, second: Window) -> bool:  # noqa: ARG002
        return True

    def stack(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        rows = [window.values for window in windows]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=self._tokenizer.pad_id)
        lengths = torch.tensor([len(row) for row in rows])
        return {"input_ids": ids, "attention_mask": (torch.arange(ids.shape[1]) < lengths[:, None]).long()}


class PictureReader(Reader):
    """Pictures as the checkpoint's processor gives them; rows and columns count patches of that."""

    columns: ClassVar[Mapping[str, type]] = {"row": int, "column": int}

    def __init__(self, folder: Folder, checkpoint: str | Path, model: PretrainedModel) -> None:
        super().__init__(folder)
        self._processor = ImageProcessor.from_pretrained(checkpoint)
        self._patch = model.config.patch_size_pair

    def windows(self, item: int) -> Iterator[Window]:
        pixels = self._processor(self.folder.path(self.locate(item)[0]))["pixel_values"][0]
        rows, columns = (side // patch for side, patch in zip(pixels.shape[1:], self._patch, strict=True))
        row, column = (index.ravel() for index in np.indices((rows, columns)))
        is_counted = np.arange(1 + rows * columns) > 0
        yield Window(item, {"path": self.name(item)}, pixels, is_counted, {"row": row, "column": column})

    def stack(self, windows: Sequence[Window]) -> dict[str, Tensor]:
        return {"pixel_values": torch.stack([window.values for window in windows])}


def open_reader(
    folder: Folder, modality: Modality, checkpoint: str | Path, model: PretrainedModel, *, seconds: float
) -> Reader:
    """The reader of a modality, with the processor of the checkpoint.

    Raises:
        CheckpointError: the checkpoint has no processor.
        ValueError: windows of `seconds` hold no frame.
    """
    match modality:
        case "audio":
            return SoundReader(folder, checkpoint, model, seconds)
        case "text":
            return TextReader(folder, checkpoint, model)
        case "vision":
            return PictureReader(folder, checkpoint, model)


def represent(
    model: PretrainedModel,
    reader: Reader,
    items: Iterable[int],
    layers: Sequence[int],
    *,
    batch: int,
    failed: Callable[[int, Exception], None],
) -> Iterator[tuple[Window, NDArray[np.float32]]]:
    """Hidden states of the counted positions of every window, in the order of the items.

    Args:
        model: in eval mode.
        layers: from 0 (the input of the first block) to the number of blocks.
        batch: most windows in one pass.
        failed: told of an item that cannot be read; its windows until then were handed out.

    Yields:
        the window, and (layers, counted positions, dim).
    """
    waiting: list[Window] = []
    for window in _readable(reader, items, failed):
        if waiting and (len(waiting) == batch or not reader.fit(waiting[0], window)):
            yield from _run(model, reader, waiting, layers)
            waiting = []
        waiting.append(window)
    if waiting:
        yield from _run(model, reader, waiting, layers)


def _readable(reader: Reader, items: Iterable[int], failed: Callable[[int, Exception], None]) -> Iterator[Window]:
    for item in items:
        try:
            yield from reader.windows(item)
        except (ValueError, OSError) as error:
            failed(item, error)


@torch.inference_mode()
def _run(
    model: PretrainedModel, reader: Reader, windows: Sequence[Window], layers: Sequence[int]
) -> list[tuple[Window, NDArray[np.float32]]]:
    trace = Trace({"hidden": layers})
    inputs: dict[str, Any] = {name: tensor.to(model.device) for name, tensor in reader.stack(windows).items()}
    model(**inputs, trace=trace)
    hidden = trace.stack("hidden").float().cpu().numpy()  # (layers, batch, positions, dim)
    return [(window, hidden[:, row, np.flatnonzero(window.is_counted)]) for row, window in enumerate(windows)]
