"""The live training as the page shows it: curves that grow, beside those of the run before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final, Literal

from ui.words import say

if TYPE_CHECKING:
    from analysis.live_settings import LiveSettings

State = Literal["idle", "waiting", "starting", "running", "ended"]
_DIGITS: Final = 5


def template() -> str:
    """The frame, in the language that is spoken. The script fills it."""
    return (
        '<div class="lab"><p class="said" role="status" aria-live="polite"></p>'
        '<div class="progress" aria-hidden="true"><span class="track"><span class="fill"></span></span>'
        '<span class="at"></span></div><div class="key small"></div><div class="curves"></div>'
        '<p class="small facts"></p><div class="keep"><button type="button" class="csv" disabled></button></div>'
        f'<details class="table"><summary>{escape(say("training.table"))}</summary><div class="box" role="region" '
        f'tabindex="0" aria-label="{escape(say("training.table"))}"></div></details></div>'
    )


def phrases() -> dict[str, str]:
    """What the script says; it fills in the places in braces."""
    from analysis.live_settings import STEPS

    return {
        "steps_of_all": str(STEPS),
        "at": say("training.lab_at", step="{step}", steps=STEPS, seconds="{seconds}"),
        "this_run": say("training.this_run", settings="{settings}"),
        "last_run": say("training.last_run", settings="{settings}"),
        "facts": say("training.lab_facts", pieces="{pieces}", photographs="{photographs}", chance="{chance}"),
        "loss": say("training.loss"),
        "tau": say("training.tau"),
        "spread": say("training.spread"),
        "rank": say("training.rank"),
        "knn": say("training.lab_knn"),
        "cka": say("training.cka"),
        "distance": say("training.distance"),
        "chance": say("training.chance"),
        "student_key": say("training.student_key"),
        "student": say("training.student"),
        "teacher": say("training.teacher"),
        "target": say("training.target"),
        "prediction": say("training.prediction"),
        "layer": say("training.layer", number="{number}"),
        "block": say("training.block", number="{number}"),
        "steps": say("training.steps"),
        "seconds": say("training.seconds"),
        "csv": say("training.csv"),
        "percent": say("app.percent", number="{number}"),
    }


def shown(
    state: State,
    said: str,
    *,
    run: int = 0,
    settings: str = "",
    data: Mapping[str, Any] | None = None,
    moments: Sequence[Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """What the script draws.

    Args:
        state: of the visitor's run.
        said: the same in a sentence.
        run: its number, another one for each.
        settings: of the run, in words.
        data: `pieces`, `photographs` and `chance`; None before they are known.
        moments: with the fields of a `LiveMoment`; None leaves the curves as they are.
    """
    columns = None if moments is None else _columns(moments)
    return {"state": state, "said": said, "run": run, "settings": settings, "data": data, "columns": columns}


def settings_in_words(settings: LiveSettings) -> str:
    """What tells one run from another."""
    steady = settings.tau_start == settings.tau_end
    tau = f"{settings.tau_start:g}" if steady else f"{settings.tau_start:g}–{settings.tau_end:g}"
    return say(
        "training.settings_normalised" if settings.is_normalised else "training.settings_plain",
        tau=tau,
        layers=settings.top_layers,
        masked=say("app.percent", number=f"{100 * settings.masked:.0f}"),
        rate=f"{settings.rate:g}",
        seed=settings.seed,
    )


def _columns(moments: Sequence[Mapping[str, Any]]) -> dict[str, list[float | None]]:
    """Every number of the moments as a column, by the name it has in a file."""
    columns: dict[str, list[float | None]] = {}
    depth = max((len(one["distance"] or ()) for one in moments), default=0)
    for one in moments:
        distance = one["distance"] or [None] * depth
        row = {name: one[name] for name in ("step", "seconds", "tau", "loss", "target_spread", "prediction_spread")}
        for name in ("effective_rank", "knn"):
            row |= {f"{name}_student": one[name][0], f"{name}_teacher": one[name][1]}
        row |= {f"cka_layer_{layer}": value for layer, value in enumerate(one["cka"])}
        row |= {f"distance_block_{block}": value for block, value in enumerate(distance, 1)}
        for name, value in row.items():
            columns.setdefault(name, []).append(value if value is None else float(f"{value:.{_DIGITS}g}"))
    return columns
