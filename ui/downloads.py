"""Results as files that a visitor can keep. They lie in the app's own cache, which is emptied of what is old."""

from __future__ import annotations

import csv
import io

from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from ui.service import Answer

LINES_FILE = "classes.csv"


def lines_csv(answer: Answer) -> str:
    """Path of a table of classified lines: text, class, probability, and whether the text is unlike the training data
    (empty where the model does not say)."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(["text", "label", "score", "outside"])
    for line, each in zip(answer.inputs["lines"], answer.result.classifications, strict=False):
        best = each.labels[0]
        writer.writerow([line, best.label, f"{best.score:.4f}", "" if each.outside is None else each.outside])
    # with a mark at its start by which spreadsheets know UTF-8
    return save_bytes_to_cache(table.getvalue().encode("utf-8-sig"), LINES_FILE, get_upload_folder())
