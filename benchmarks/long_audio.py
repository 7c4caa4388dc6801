"""Long recordings: memory and time of a base CTC model: `python -m benchmarks.long_audio --alone 60`.

Ours hears overlapping windows of 30 s as they are read from the file; the reference's pipeline cuts the whole into
chunks of 30 s with its usual strides. Both hold the same random weights: the text is noise, the work is that of any
text. Memory is the peak of what is resident above the loaded model, in a process for each. With `--data DATA`, what
the two ways of cutting cost in quality: the test utterances of an4, joined without a pause between them, read by the
bundled model through both, in pieces of the length that it knows.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import soundfile
import torch
import transformers

from benchmarks.memory import peak_above
from benchmarks.reference import write_plainly
from data2vec_core import Data2VecAudioConfig, Data2VecAudioForCTC
from data2vec_core.linear_choice import LINEAR_CHOICES, LinearChoice
from data2vec_core.presets import PRESETS
from data2vec_core.tasks import Transcriber
from recipes.bundled import an4 as bundled_an4
from recipes.metrics import error_rate, word_errors

RATE: Final = 16_000
CHUNK: Final = 30
"""Seconds of the reference's chunks."""
PARTS: Final = ("ours", "reference")


def write_model(folder: Path) -> None:
    """A base CTC model of random weights, with the bundled speech model's letters."""
    bundled = Transcriber.from_pretrained("an4")
    torch.manual_seed(0)
    letters = bundled.model.config.vocab_size
    padding = bundled.model.config.pad_token_id
    config = cast(Data2VecAudioConfig, PRESETS["audio-base"]).replace(vocab_size=letters, pad_token_id=padding)
    model = Data2VecAudioForCTC(config)
    model.save_pretrained(folder)
    bundled.extractor.save_pretrained(folder)
    bundled.tokenizer.save_pretrained(folder)


def write_noise(path: Path, minutes: float) -> None:
    """A recording, written piece by piece."""
    draw = np.random.default_rng(0)
    with soundfile.SoundFile(path, "w", RATE, 1) as file:
        for _ in range(round(60 * minutes)):
            file.write(0.1 * draw.standard_normal(RATE).astype(np.float32))


def way(part: str, folder: str, sound: Path, linear: LinearChoice = "packed") -> Callable[[], str]:
    """How one of the two reads a file, its model loaded."""
    if part == "ours":
        task = Transcriber.from_pretrained(folder, linear=linear)
        return lambda: task(sound).text
    make: Any = transformers.pipeline
    pipeline = make("automatic-speech-recognition", model=folder, chunk_length_s=CHUNK)

    def read() -> str:
        samples, rate = soundfile.read(sound, dtype="float32")
        return str(pipeline({"raw": samples, "sampling_rate": rate})["text"])

    return read


def measured(part: str, folder: Path, sound: Path, linear: LinearChoice) -> tuple[float, float]:
    """Seconds and megabytes of one, in a process of its own."""
    command = [sys.executable, "-W", "ignore", "-m", "benchmarks.long_audio", "--part", part, "--linear", linear]
    command += ["--folder", str(folder), "--sound", str(sound), "--threads", str(torch.get_num_threads())]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split()
    return float(found[-2]), float(found[-1])


def quality(data: Path) -> None:
    """Print word error rates of joined utterances, read in windows, in the reference's chunks, and one by one."""
    sentences = bundled_an4.examples(data, "test")
    said = " ".join(sentence.target for sentence in sentences)
    joined = np.concatenate([sentence.content for sentence in sentences])
    task = Transcriber.from_pretrained("an4")
    alone = " ".join(task(sentence.content, sampling_rate=RATE).text for sentence in sentences)
    with tempfile.TemporaryDirectory() as folder:
        write_plainly(task, Path(folder))
        make: Any = transformers.pipeline
        pipeline = make("automatic-speech-recognition", model=folder, chunk_length_s=task.windows.seconds)
        chunks = str(pipeline({"raw": joined, "sampling_rate": RATE})["text"])
    ways = {"utterance by utterance": alone, "ours, joined": task(joined, sampling_rate=RATE).text}
    print(f"\n| {len(joined) / RATE:.0f} s of an4 test | word error rate |\n| --- | --- |")
    for name, heard in (*ways.items(), ("reference, joined", chunks)):
        print(f"| {name} | {100 * error_rate(word_errors, [heard], [said]):.1f} % |", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.long_audio", description=__doc__)
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0], help="lengths to measure (%(default)s)")
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    parser.add_argument("--linear", choices=LINEAR_CHOICES, default="packed", help="of ours (%(default)s)")
    parser.add_argument("--alone", type=float, nargs="+", default=[], help="further lengths, for ours alone")
    parser.add_argument("--data", type=Path, help="folder of the data packs; without it, no word error rates")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--sound", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.threads:
        torch.set_num_threads(options.threads)
    if options.part:
        read = way(options.part, options.folder, options.sound, options.linear)
        start = time.perf_counter()
        peak = peak_above(read)
        print(time.perf_counter() - start, peak / 1e6)
        return
    print(f"{torch.get_num_threads()} threads, linear layers {options.linear}, one run of each\n")
    print("| recording | ours, s | reference, s | ratio | ours, MB | reference, MB | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory() as name:
        folder, sound = Path(name) / "model", Path(name) / "noise.wav"
        folder.mkdir()
        write_model(folder)
        for minutes in (*options.minutes, *options.alone):
            write_noise(sound, minutes)
            ours = measured("ours", folder, sound, options.linear)
            cells = [f"{ours[0]:.0f}", "", "", f"{ours[1]:.0f}", "", ""]
            if minutes not in options.alone:
                other = measured("reference", folder, sound, options.linear)
                cells[1:3] = [f"{other[0]:.0f}", f"{ours[0] / other[0]:.2f}"]
                cells[4:] = [f"{other[1]:.0f}", f"{ours[1] / other[1]:.2f}"]
            print(f"| {minutes:g} min | " + " | ".join(cells) + " |", flush=True)
    if options.data:
        quality(options.data)


if __name__ == "__main__":
    main()
