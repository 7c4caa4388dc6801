"""Starting, the folder of uploads, and emptying it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.lab import running
from tests.ui.calling import answered, uploaded
from ui.hosting import FOLDER_PREFIX, FOLDER_VARIABLE, clean
from ui.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


def test_what_is_old_goes_and_what_is_kept_stays(tmp_path: Path) -> None:
    for name in ("a/one.wav", "a/two.wav", "b/three.wav", "c/kept.wav", "four.tmp"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x", encoding="utf-8")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("x", encoding="utf-8")
    (tmp_path / "link").symlink_to(outside)
    clean(tmp_path, 60)
    assert len(list(tmp_path.rglob("*"))) == 9  # nothing is old yet
    clean(tmp_path, -60, {str(tmp_path / "c" / "kept.wav")})
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")} == {"c", "c/kept.wav"}
    assert outside.exists()


def test_uploads_and_answers_are_deleted_at_their_age(
    settings: Settings, files: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / f"{FOLDER_PREFIX}test"
    folder.mkdir()
    monkeypatch.setenv(FOLDER_VARIABLE, str(folder))
    two_seconds = Settings(bundled_folder=settings.bundled_folder, threads=1, keep_files_minutes=2 / 60)
    with running(two_seconds) as address:
        shown = {path for path in folder.rglob("*") if path.is_file()}  # what the page itself shows
        given = uploaded(address, "picture.png", Path(files("picture.png")).read_bytes())
        assert Path(given["path"]).is_relative_to(folder)
        made = answered(address, "segment_image", [given])
        (folder / "broken-off").write_text("half an upload", encoding="utf-8")
        links = [f"{address}/gradio_api/file={path}" for path in (made["mask"]["path"], made["overlay"]["path"])]
        for _ in range(60):  # until they are gone, and a minute at most
            left = {path for path in folder.rglob("*") if path.is_file()} - shown
            if not left:
                break
            time.sleep(1)
        assert left == set()
        assert all(path.exists() for path in shown)
        assert all(httpx.get(link).status_code in (403, 404) for link in links)


def test_a_process_takes_its_folder_along(tmp_path: Path) -> None:
    code = (
        "import os, signal, stat\n"
        "from ui.hosting import starting\n"
        "with starting(): pass\n"
        f"folder = os.environ[{FOLDER_VARIABLE!r}]\n"
        "print(folder, oct(stat.S_IMODE(os.stat(folder).st_mode)), flush=True)\n"
        "open(os.path.join(folder, 'upload.wav'), 'w').close()\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "signal.pause()\n"
    )
    environment = {**os.environ, FOLDER_VARIABLE: str(tmp_path / "uploads")}
    run = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    folder, mode = run.stdout.split()
    assert (run.returncode, mode) == (0, "0o700")
    assert Path(folder).parent == tmp_path / "uploads"
    assert list((tmp_path / "uploads").iterdir()) == []
