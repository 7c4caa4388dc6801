"""The tasks on pictures in TensorFlow say what they say in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from data2vec_core import Data2VecVisionForImageClassification
from data2vec_core.checkpoints.errors import NoHeadError
from data2vec_core.checkpoints.loading import CheckpointWarning
from data2vec_core.runtime_choice import has_tensorflow
from data2vec_core.tasks import ImageClassifier, ImageSegmenter
from data2vec_core.tensorflow.runtime import TensorFlowRuntime
from data2vec_core.trace import Trace
from tests.tensorflow.sisters import COMPONENT, TINY, assert_close, pytorch_model

PICTURES = [f"assets/examples/{name}.jpg" for name in ("flamingo", "chelsea", "face")]


def test_classes() -> None:
    expected = ImageClassifier.from_pretrained("objects").batch(PICTURES)
    classify = ImageClassifier.from_pretrained("objects", runtime="tensorflow")
    assert classify.runtime == "tensorflow"
    for ours, other in zip(classify.batch(PICTURES), expected, strict=True):
        assert [one.label for one in ours.labels] == [one.label for one in other.labels]
        scores = zip(ours.labels, other.labels, strict=True)
        assert max(abs(one.score - same.score) for one, same in scores) < 1e-4
        assert ours.outside == other.outside is not None
        assert ours.model == other.model == "objects"


def test_maps() -> None:
    picture = np.asarray(Image.open(PICTURES[1]).convert("RGB"))[:-31, 20:]  # of no even size
    expected = ImageSegmenter.from_pretrained("pets3")(picture)
    segment = ImageSegmenter.from_pretrained("pets3", runtime="tensorflow")
    ours = segment(picture)
    assert ours.mask.shape == expected.mask.shape
    assert (ours.mask != expected.mask).mean() < 1e-4  # pixels between two classes
    assert [one.label for one in ours.classes] == [one.label for one in expected.classes]


def test_a_backbone_has_no_answers() -> None:
    with pytest.warns(CheckpointWarning, match="initialised at random"), pytest.raises(NoHeadError):
        ImageClassifier.from_pretrained("vision", runtime="tensorflow")


def test_hidden_states_can_be_recorded_and_nothing_else() -> None:
    pytorch = pytorch_model("ForImageClassification", TINY)
    runtime = TensorFlowRuntime(pytorch)
    pixels = torch.randn(2, 3, 40, 32)
    ours, expected = (Trace({"hidden": [0, 3]}) for _ in range(2))
    runtime(pixels, trace=ours)
    with torch.no_grad():
        pytorch(pixels, trace=expected)
    assert ours.layers("hidden") == [0, 3]
    assert_close(ours["hidden", 3], expected["hidden", 3], COMPONENT)
    with pytest.raises(ValueError, match="records hidden states only, got one for attention"):
        runtime(pixels, trace=Trace({"attention": [1]}))
    with pytest.raises(ValueError, match="a trace can replace nothing"):
        runtime(pixels, trace=Trace(replace={("hidden", 1): torch.zeros_like}))
    with pytest.raises(ValueError, match="names layer 9, the model has 4 layers"):
        runtime(pixels, trace=Trace({"hidden": [9]}))


def test_memory_is_counted_as_that_of_the_sister() -> None:
    pytorch = Data2VecVisionForImageClassification(TINY)
    runtime = TensorFlowRuntime(pytorch)
    assert runtime.nbytes == pytorch.nbytes
    assert runtime.eval() is runtime
    assert has_tensorflow()
