"""Starting and stopping on a host: settings that are wrong, the folder that uploads lie in, and emptying it."""

from __future__ import annotations

import asyncio
import atexit
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from gradio.utils import get_upload_folder

from ui.heap import give_back_again_and_again, keep_few_arenas, staying
from ui.settings import Settings, SettingsError

FOLDER_VARIABLE: Final = "GRADIO_TEMP_DIR"
FOLDER_PREFIX: Final = "data2vec-lab-"
SECONDS_BEFORE_READY: Final = 1.0
"""After the start, in which the page has the processor for itself."""
FOR_THE_FIRST_ANSWER: Final = (
    "data2vec_core.tasks",
    "analysis.subject",
    "analysis.masked_prediction",
    "analysis.attention_view",
)
MOST_SECONDS_BETWEEN: Final = 600.0
"""Between two looks for files that are too old."""


@contextmanager
def starting() -> Iterator[Settings]:
    """The settings of this process, for an app that is built inside.

    What is wrong with them ends the process with code 2 and a sentence. Uploads get a folder of their own, which goes
    when the process ends, by a signal to terminate as well.
    """
    try:
        settings = Settings.from_environment()
        _use_own_folder()
        keep_few_arenas()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the first process of a container ignores it else
        yield settings
    except SettingsError as error:
        print(f"data2vec lab: {error}", file=sys.stderr)
        raise SystemExit(2) from None


def cleaning(minutes: float) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """Lifespan of the served app: files of its own folder that are older than this are deleted, free memory is given
    back, and what the first answer needs is imported.

    Gradio deletes what it remembers; this deletes what it does not: uploads that broke off, and what endpoints answer.
    Where several apps share Gradio's folder, this leaves it alone.
    """

    @asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(_clean_again_and_again(app, 60 * minutes)),
            asyncio.create_task(give_back_again_and_again()),
            asyncio.create_task(_get_ready()),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return lifespan


def clean(folder: Path, seconds: float, kept: Collection[str] = ()) -> None:
    """Delete files that have not changed for so long, and folders that are empty for so long.

    Args:
        kept: paths that stay.
    """
    latest = time.time() - seconds
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside comes first
        with suppress(OSError):  # somebody else was faster, or has just put something in
            if str(path) in kept or path.lstat().st_ctime > latest:
                continue
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()


async def _get_ready() -> None:
    """Import what the first answer needs, once the page can be seen: that takes seconds, and nobody has asked yet."""
    await asyncio.sleep(SECONDS_BEFORE_READY)
    with staying():
        for module in FOR_THE_FIRST_ANSWER:
            await asyncio.to_thread(import_module, module)


async def _clean_again_and_again(app: Any, seconds: float) -> None:
    while True:
        await asyncio.sleep(min(seconds, MOST_SECONDS_BETWEEN))
        folder = Path(get_upload_folder())
        if folder.name.startswith(FOLDER_PREFIX):
            blocks = app.get_blocks().blocks.values()
            kept = {path for block in blocks for path in getattr(block, "keep_in_cache", ())}
            await asyncio.to_thread(clean, folder, seconds, kept)


def _use_own_folder() -> None:
    """Let Gradio keep files where no other user of the machine can read them, and no other app mixes its own in."""
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        try:
            Path(given).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"{FOLDER_VARIABLE} has to be a folder, got {given!r} ({error.strerror})") from None
    folder = tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=given or None)
    os.environ[FOLDER_VARIABLE] = folder
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
