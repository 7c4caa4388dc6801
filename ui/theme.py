"""The look of the page: a quiet textbook in the system's own fonts, with one accent."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

STYLESHEETS = [Path(__file__).parent / "theme.css", *sorted((Path(__file__).parent / "styles").glob("*.css"))]
"""What all of the page has in common, then a file for each widget that needs its own."""

_SANS = (
    "system-ui",
    "-apple-system",
    "Segoe UI",
    "Roboto",
    "Noto Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "sans-serif",
)
_MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def theme() -> gr.themes.Base:
    """Neutral greys and one blue; no fonts from other hosts. The rest is in `theme.css`."""
    base = gr.themes.Base(
        primary_hue=gr.themes.colors.blue,
        secondary_hue=gr.themes.colors.blue,
        neutral_hue=gr.themes.colors.zinc,
        radius_size=gr.themes.sizes.radius_sm,
        font=_SANS,
        font_mono=_MONO,
    )
    return base.set(
        body_background_fill="white",
        body_background_fill_dark="*neutral_950",
        block_shadow="none",
        block_label_border_width="0px",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_600",
        block_title_text_color_dark="*neutral_300",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        button_primary_text_color_dark="white",
        color_accent="*primary_700",
        link_text_color_dark="*primary_400",
        link_text_color_visited_dark="*primary_400",
        link_text_color_hover_dark="*primary_300",
        link_text_color_active_dark="*primary_300",
        input_shadow_focus="inset 0 0 0 2px *primary_600",
        input_shadow_focus_dark="inset 0 0 0 2px *primary_400",
    )
