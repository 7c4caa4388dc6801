"""Compare what is learnt from the pre-trained encoders and from scratch: `python -m recipes.study --data DATA`.

Writes every trial to `recipes/study/outcomes.jsonl`, goes on there when it was stopped, and draws
`docs/study.svg` when it is through; the table of recipes/RESULTS.md is then written by `recipes.readme`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from analysis.figures.style import save
from recipes.packs import add_data_option
from recipes.study.compare import compare
from recipes.study.report import OUTCOMES_FILE, study_figure
from recipes.study.subjects import SUBJECTS

FIGURE = Path("docs/study.svg")


def main(arguments: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m recipes.study", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="TASK", help=f"of {', '.join(SUBJECTS)} (all)")
    add_data_option(parser)
    parser.add_argument("--from", dest="start", metavar="CHECKPOINT", help="encoder (the bundled one)")
    parser.add_argument("--out", type=Path, default=OUTCOMES_FILE, help="file of the outcomes")
    parser.add_argument("--threads", type=int, help="processor threads (all)")
    parser.add_argument("--figure", action="store_true", help=f"only draw {FIGURE} from what is there")
    options = parser.parse_args(arguments)
    if unknown := set(options.subjects) - SUBJECTS.keys():
        parser.error(f"no task named {', '.join(sorted(unknown))}: there are {', '.join(SUBJECTS)}")
    if options.threads:
        torch.set_num_threads(options.threads)
    if not options.figure:
        for name in options.subjects or SUBJECTS:
            for outcome in compare(SUBJECTS[name], options.data, options.out, start=options.start):
                trial = outcome.trial
                print(
                    f"{name}  {trial.share:.0%}  {'pre-trained' if trial.is_trained else 'scratch'}  "
                    f"rate {trial.rate:g}  layer decay {trial.layer_decay}  seed {trial.seed}  "
                    f"valid {outcome.valid:.4f}  test {outcome.test:.4f}  {outcome.seconds:.0f} s",
                    flush=True,
                )
    if options.out == OUTCOMES_FILE:
        save(study_figure(), FIGURE)


if __name__ == "__main__":
    main()
