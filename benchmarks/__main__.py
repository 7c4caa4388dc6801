"""Measure again and write `benchmarks/RESULTS.md`: `make bench`, or `python -m benchmarks [NAME ...]`.

Each benchmark runs in a process of its own, one after the other, on a machine that should have nothing else to do. What
it prints takes the place of the last tables under its name; the words between the tables are written by hand.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks import ROOT
from recipes.readme import render

RESULTS: Final = ROOT / "benchmarks" / "RESULTS.md"
SECTIONS: Final = {
    "forward": ["forward", "--runs", "5"],
    "eight-bits": ["eight_bits", "--runs", "5"],
    "eight-bits-scores": ["eight_bits", "--only-scores", "--data", "{data}"],
    "recording": ["recording", "--runs", "5"],
    "long-audio": ["long_audio", "--minutes", "1", "5", "--alone", "60", "--data", "{data}"],
    "app": ["app"],
    "pretraining": ["pretraining", "--runs", "5"],
    "economy": ["economy_report"],
    "growth": ["growth"],
    "profile": ["profile", "--runs", "5"],
    "waveform-encoder": ["waveform_encoder"],
    "attention-training": ["attention_training"],
}
"""Name in the file -> module, and its options."""


def host() -> str:
    """What was measured on, and when."""
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    processor = models[0].partition(": ")[2] if models else platform.processor()
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "gradio"))
    return f"{datetime.date.today()}, {len(models)} cores of {processor}, {packages}"


def measured(name: str, data: Path | None) -> str:
    """What a benchmark prints, with the host above it.

    Raises:
        CalledProcessError: it failed.
    """
    module, *options = SECTIONS[name]
    options = [option.format(data=data) for option in options]
    command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}", *options]
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    shown = " ".join(["python -m", f"benchmarks.{module}", *("DATA" if one == str(data) else one for one in options)])
    return f"\n`{shown}`, {host()}.\n\n{done.stdout.strip()}\n\n"


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SECTIONS)} (all)")
    parser.add_argument("--data", type=Path, help="folder of the data packs; without it, scores are left as they are")
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - SECTIONS.keys():
        parser.error(f"no benchmark named {', '.join(sorted(unknown))}: there are {', '.join(SECTIONS)}")
    needy = [name for name in options.names if "{data}" in SECTIONS[name]]
    if needy and options.data is None:
        parser.error(f"{', '.join(needy)}: say where the data packs are, with --data")
    for name in options.names or SECTIONS:
        if "{data}" in SECTIONS[name] and options.data is None and not options.names:
            continue
        found = measured(name, options.data)
        text = render(RESULTS.read_text(encoding="utf-8"), {name: lambda found=found: found})  # type: ignore[misc]
        RESULTS.write_text(text, encoding="utf-8")
        print(f"{name}: written", flush=True)


if __name__ == "__main__":
    main()
