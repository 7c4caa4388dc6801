"""The live training: settings, a run that is watched, and the line of those who wait for theirs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from html import escape
from typing import Any, Final
from weakref import WeakKeyDictionary

import gradio as gr
from gradio.context import Context

from analysis.live_settings import DEPTH, LARGEST_SEED, LONGEST, MASKED, RATES, STEPS, LiveSettings
from ui.fields import PLUMBING
from ui.inside.training_process import Ended, Full, Started, Trainings, Waiting
from ui.service import Service
from ui.views.scripts import script
from ui.views.training import phrases, settings_in_words, shown, template
from ui.words import in_language, say

PRESETS: Final = {
    "healthy": LiveSettings(),
    "tau0": LiveSettings(tau_start=0.0, tau_end=0.0),
    "k1": LiveSettings(top_layers=1),
    "unnormalised": LiveSettings(is_normalised=False),
}
"""By name, what each leaves out of the method."""

_TRAININGS: WeakKeyDictionary[Service, Trainings] = WeakKeyDictionary()


def trainings_of(service: Service) -> Trainings:
    """The runs of the app of a service: those of the pages of all languages."""
    return _TRAININGS.setdefault(service, Trainings())


class Lab:
    """Lays itself out where it is made, and wires itself."""

    def __init__(self, service: Service) -> None:
        self._trainings = trainings_of(service)
        self._runs = 0
        gr.HTML(
            f"<h2>{escape(say('training.lab_title'))}</h2><p>{escape(say('training.lab_intro'))}</p>"
            f"<p>{escape(say('training.lab_toy'))}</p>",
            elem_classes=["intro", "html-plain"],
        )
        with gr.Row(elem_classes="tool"):
            with gr.Column(scale=4, min_width=300):
                names = self._preset_names()
                with gr.Row(elem_classes=["buttons", "lab-presets"]):
                    presets = {
                        name: gr.Button(label, size="sm", elem_id=f"training-preset-{name}")
                        for name, label in names.items()
                    }
                self.settings = self._settings()
                with gr.Row(elem_classes="buttons"):
                    start = gr.Button(say("training.start"), variant="primary", scale=3, elem_id="training-start")
                    stop = gr.Button(
                        say("panel.stop"), variant="secondary", scale=1, interactive=False, elem_id="training-stop"
                    )
            with gr.Column(scale=8, min_width=300):
                self.curves = gr.HTML(
                    value=shown("idle", say("training.lab_empty")),
                    html_template=template(),
                    js_on_load=script("training_curves", "training"),
                    phrases=phrases(),
                    elem_id="training-lab",
                    elem_classes=["html-plain"],
                    apply_default_css=False,
                )
        self._wire(start, stop, presets)

    def run(self, request: gr.Request, *values: Any) -> Iterator[dict[str, Any]]:
        """Wait for one's turn, then train; what to draw, anew with every moment."""
        try:
            settings = settings_of(values)
        except (TypeError, ValueError):
            yield shown("ended", say("training.bad_settings"))
            return
        self._runs += 1
        common: dict[str, Any] = {"run": self._runs, "settings": settings_in_words(settings)}
        moments: list[dict[str, Any]] = []
        try:
            for event in self._trainings.run(_visitor(request), dataclasses.asdict(settings)):
                match event:
                    case Waiting(place):
                        yield shown("waiting", say("training.waiting", place=place))
                    case Started():
                        yield shown("starting", say("training.starting"))
                    case Ended(why):
                        yield shown("ended", self._ending(why, moments), **common, moments=moments)
                    case {"pieces": _}:
                        common["data"] = dict(event)
                    case _:
                        moments.append(dict(event))
                        yield shown("running", say("training.running"), **common, moments=moments)
        except Full:
            yield shown("ended", say("training.full"))

    def forget(self, request: gr.Request) -> None:
        """The visitor has closed the page."""
        self._trainings.forget(_visitor(request))

    def stop(self, request: gr.Request) -> list[Any]:
        """The visitor has seen enough."""
        self._trainings.forget(_visitor(request))
        return [shown("ended", say("training.stopped")), gr.Button(interactive=False)]

    def rest(self, request: gr.Request) -> gr.Button:
        """After a run: nothing to stop, unless the visitor has started another in its place."""
        return gr.Button(interactive=self._trainings.has(_visitor(request)))

    def _ending(self, why: str, moments: list[dict[str, Any]]) -> str:
        if why == "diverged":
            return say("training.diverged")
        if why != "done" or not moments:
            return say("training.broken")
        step = moments[-1]["step"]
        return say("training.done", steps=STEPS) if step == STEPS else say("training.time_up", step=step, steps=STEPS)

    def _preset_names(self) -> dict[str, str]:
        return {
            "healthy": say("training.preset_healthy"),
            "tau0": say("training.preset_tau"),
            "k1": say("training.preset_last"),
            "unnormalised": say("training.preset_plain"),
        }

    def _settings(self) -> list[Any]:
        """In the order of `LiveSettings`."""
        own = LiveSettings()
        places = {name: f"training-{name.replace('_', '-')}" for name in dataclasses.asdict(own)}
        return [
            gr.Slider(
                0,
                1,
                own.tau_start,
                step=0.001,
                label=say("training.tau_start"),
                info=say("training.tau_info"),
                elem_id=places["tau_start"],
            ),
            gr.Slider(0, 1, own.tau_end, step=0.001, label=say("training.tau_end"), elem_id=places["tau_end"]),
            gr.Slider(
                1,
                DEPTH,
                own.top_layers,
                step=1,
                label=say("training.top_layers", layers=DEPTH),
                elem_id=places["top_layers"],
            ),
            gr.Slider(*MASKED, own.masked, step=0.05, label=say("training.masked"), elem_id=places["masked"]),
            gr.Checkbox(own.is_normalised, label=say("training.normalised"), elem_id=places["is_normalised"]),
            gr.Slider(*RATES, own.rate, step=1e-4, label=say("training.rate"), elem_id=places["rate"]),
            gr.Number(
                own.seed,
                precision=0,
                minimum=0,
                maximum=LARGEST_SEED,
                label=say("training.seed"),
                elem_id=places["seed"],
            ),
            gr.Slider(10, LONGEST, own.seconds, step=10, label=say("training.longest"), elem_id=places["seconds"]),
        ]

    def _wire(self, start: gr.Button, stop: gr.Button, presets: dict[str, gr.Button]) -> None:
        shared: dict[str, Any] = {
            "api_visibility": "private",
            "concurrency_limit": None,  # who waits is told the place in line, which Gradio's queue would not
            "show_progress": "hidden",
            "trigger_mode": "once",
        }
        run = in_language(self.run)
        ways = [start.click(_enabled, None, stop, **PLUMBING)]
        for name, button in presets.items():
            values = list(dataclasses.asdict(PRESETS[name]).values())[: len(self.settings) - 2]  # not seed and time
            filled = button.click(lambda values=values: values, None, self.settings[: len(values)], **PLUMBING)
            ways.append(filled.then(_enabled, None, stop, **PLUMBING))
        runs = [way.then(run, self.settings, self.curves, **shared) for way in ways]
        for one in runs:
            one.then(self.rest, None, stop, **PLUMBING)
        stopped = stop.click(None, cancels=runs, **PLUMBING)
        stopped.then(in_language(self.stop), None, [self.curves, stop], **PLUMBING)
        assert Context.root_block is not None
        Context.root_block.unload(self.forget)


def settings_of(values: Any) -> LiveSettings:
    """From what the page's controls hold, in the order of the fields.

    Raises:
        TypeError, ValueError: they hold something else, or too much.
    """
    tau_start, tau_end, layers, masked, is_normalised, rate, seed, seconds = values
    return LiveSettings(
        tau_start=float(tau_start),
        tau_end=float(tau_end),
        top_layers=int(layers),
        masked=float(masked),
        is_normalised=bool(is_normalised),
        rate=float(rate),
        seed=int(seed),
        seconds=float(seconds),
    )


def _visitor(request: gr.Request) -> str:
    return str(request.session_hash)


def _enabled() -> gr.Button:
    return gr.Button(interactive=True)
