"""What Gradio leaves out for the lab, and that nothing is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest
from gradio.routes import App
from gradio.state_holder import StateHolder

from ui.lean import begin_at_once, without_app

ROOT = Path(__file__).resolve().parents[2]


def test_a_session_begins_without_the_properties_of_the_page() -> None:
    with gr.Blocks() as demo:
        gr.Textbox("a text", elem_id="text")
        held = gr.State([1])
    begin_at_once(demo)
    holder = StateHolder()
    holder.set_blocks(demo)
    first, second = holder["first"], holder["second"]
    assert list(first.components) == []
    first[held._id] = [2]
    assert first[held._id] == [2]
    assert second[held._id] == [1]
    first._update_value_in_config(held._id, "what a visitor gave")
    assert list(second.components) == []
    shown = {one["props"].get("elem_id"): one["props"] for one in demo.get_config_file()["components"]}
    assert shown["text"]["value"] == "a text"


def test_what_a_session_renders_itself_has_its_properties() -> None:
    with gr.Blocks() as demo:
        name = gr.Textbox()

        @gr.render(inputs=name)
        def greet(_: str) -> None:
            gr.Markdown("hello")

    begin_at_once(demo)
    holder = StateHolder()
    holder.set_blocks(demo)
    config = holder["one"].blocks_config
    block = gr.Markdown("hello", render=False)
    [renderable] = demo.renderables
    assert config.config_for_block(block._id, [block._id], block, renderable)["props"]["value"] == "hello"


def test_the_app_is_made_once_at_the_end() -> None:
    make, describe = App.create_app, gr.Blocks.get_config_file
    with without_app():
        with gr.Blocks() as demo:
            gr.Textbox("first", elem_id="first")
        with demo.route("Second", "second"):
            gr.Textbox("second", elem_id="second")
        assert getattr(demo, "app", None) is None
    assert (App.create_app, gr.Blocks.get_config_file) == (make, describe)
    demo.queue()
    assert "/config" in {getattr(route, "path", None) for route in demo.app.routes}
    assert {one["props"].get("elem_id") for one in demo.config["components"]} >= {"first", "second"}


def test_gradio_is_whole_again_after_a_page_that_failed() -> None:
    make = App.create_app
    with pytest.raises(RuntimeError), without_app():
        raise RuntimeError
    assert App.create_app is make


@pytest.mark.parametrize("first", ["ui", "json"])
def test_no_stub_file_is_written(tmp_path: Path, first: str) -> None:
    """`json` stands for a process without the lab: there Gradio does write one."""
    (tmp_path / "own.py").write_text("import gradio as gr\n\n\nclass Own(gr.Textbox):\n    pass\n", encoding="utf-8")
    code = f"import {first}, sys; sys.path.insert(0, {str(tmp_path)!r}); import own; own.Own()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert (tmp_path / "own.pyi").exists() == (first == "json")
