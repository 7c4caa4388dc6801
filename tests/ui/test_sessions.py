"""Sessions hold what a visitor has changed, and not the page."""

from __future__ import annotations

import gradio as gr
from gradio.state_holder import StateHolder

from ui.sessions import begin_at_once


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
