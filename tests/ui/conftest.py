"""A running app with tiny models, and the files that visitors bring."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from tests.lab import bundle, running
from tests.tasks.conftest import checkpoints  # noqa: F401 - a fixture
from ui.inside import layers_ready
from ui.settings import Settings


@pytest.fixture(scope="session", autouse=True)
def nothing_made_ready() -> Iterator[None]:
    """A process of tests does not compile on the quiet: it would do so beside other tests, and perhaps at its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers_ready, "_compile_umap", lambda: None)
        yield


@pytest.fixture(scope="session")
def bundled_folder(checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: F811
    return bundle(checkpoints, tmp_path_factory.mktemp("bundled"))


@pytest.fixture(scope="session")
def settings(bundled_folder: Path) -> Settings:
    return Settings(
        bundled_folder=bundled_folder,
        threads=1,
        max_audio_seconds=20,
        max_transcription_seconds=20,
        max_megapixels=0.5,
        max_upload_mb=2,
    )


@pytest.fixture(scope="session")
def address(settings: Settings) -> Iterator[str]:
    with running(settings) as address:
        yield address


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Paths by name: two sounds, silence, long sound, no sound, picture, large picture, no picture."""
    folder = tmp_path_factory.mktemp("files")
    generator = np.random.default_rng(0)

    def noise(seconds: float, level: float = 0.1) -> np.ndarray:
        return level * generator.standard_normal(int(16_000 * seconds))

    def picture(width: int, height: int) -> Image.Image:
        return Image.fromarray(generator.integers(0, 256, (height, width, 3), dtype=np.uint8))

    soundfile.write(folder / "sound.wav", noise(1.0), 16_000)
    soundfile.write(folder / "other.wav", noise(1.0, 0.5) + np.sin(np.arange(16_000) / 9), 16_000)
    soundfile.write(folder / "silence.wav", np.zeros(16_000), 16_000)
    soundfile.write(folder / "long.wav", noise(21.0), 16_000)
    soundfile.write(folder / "short.wav", noise(0.001), 16_000)
    soundfile.write(folder / "empty.wav", noise(0.0), 16_000)
    (folder / "no_sound.wav").write_text("these are words", encoding="utf-8")
    picture(60, 40).save(folder / "picture.png")
    picture(1000, 600).save(folder / "large.png")
    (folder / "no_picture.png").write_text("these are words", encoding="utf-8")
    return lambda name: str(folder / name)
