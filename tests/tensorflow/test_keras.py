"""The three classes as Keras users meet them: fit, evaluate, predict, save, export, `tf.function`.

Making a graph takes longer than the few steps here; where nothing hangs on it, they run eagerly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from data2vec_core import tensorflow as data2vec_tensorflow
from data2vec_core.tensorflow import (
    TFData2VecVisionForImageClassification,
    TFData2VecVisionForSemanticSegmentation,
    TFData2VecVisionModel,
)
from data2vec_core.tensorflow.outputs import TFModelOutput
from tests.tensorflow.sisters import COMPONENT, TASKS, TINY, assert_close, sisters

#: The segmentation head reads three states.
CONFIG = TINY.replace(num_hidden_layers=2, drop_path_rate=0.0, pool_scales=(1, 2))
RANDOM = np.random.default_rng(0)
PIXELS = RANDOM.standard_normal((6, 3, 32, 32)).astype(np.float32)
LABELS = RANDOM.integers(0, 5, 6)
MAPS = RANDOM.integers(0, 5, (6, 20, 27))
MAPS[:, 3] = CONFIG.semantic_loss_ignore_index


def model_of(task: str, config: Any = CONFIG) -> Any:
    """A random one, not fresh."""
    return sisters(task, config)[0]


def labels_of(task: str) -> Any:
    return LABELS if task == "ForImageClassification" else MAPS


@pytest.mark.parametrize("task", ["ForImageClassification", "ForSemanticSegmentation"])
def test_fit_by_the_models_own_loss(task: str) -> None:
    model, labels = model_of(task), labels_of(task)
    direct = float(model(PIXELS, labels=labels).loss)
    metrics = ["accuracy"] if labels.ndim == 1 else None
    model.compile("sgd", metrics=metrics, run_eagerly=True)
    assert model.evaluate(PIXELS, labels, batch_size=6, verbose=0, return_dict=True)["loss"] == pytest.approx(direct)
    model.compile(keras.optimizers.Adam(1e-2), metrics=metrics)
    losses = model.fit(PIXELS, labels, batch_size=6, epochs=4, verbose=0).history["loss"]
    assert losses[-1] < 0.9 * losses[0]


def test_fit_by_a_keras_loss_and_by_the_same_of_the_model_learn_the_same() -> None:
    weights = []
    for loss in (None, keras.losses.SparseCategoricalCrossentropy(from_logits=True)):
        keras.utils.set_random_seed(0)
        model = TFData2VecVisionForImageClassification(CONFIG)
        model.compile(keras.optimizers.SGD(0.1), loss=loss, metrics=["accuracy"], run_eagerly=True)
        model.fit(tf.data.Dataset.from_tensor_slices((PIXELS, LABELS)).batch(3), epochs=2, verbose=0)
        weights.append(model.get_weights()[-2])  # the classifier's kernel
    np.testing.assert_allclose(weights[0], weights[1], rtol=1e-4, atol=1e-6)


def test_a_keras_loss_of_maps_is_given_logits_at_their_size() -> None:
    model = model_of("ForSemanticSegmentation", CONFIG.replace(use_auxiliary_head=False))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=CONFIG.semantic_loss_ignore_index)
    model.compile("sgd", loss=loss, run_eagerly=True)
    own = float(model(PIXELS, labels=MAPS).loss)
    assert model.evaluate(PIXELS, MAPS, batch_size=6, verbose=0) == pytest.approx(own, rel=1e-4)


def test_fit_of_dictionaries() -> None:
    model = model_of("ForImageClassification")
    model.compile("sgd", run_eagerly=True)
    data = tf.data.Dataset.from_tensor_slices({"pixel_values": PIXELS, "labels": LABELS}).batch(6)
    direct = float(model(PIXELS, labels=LABELS).loss)
    assert model.fit(data, verbose=0).history["loss"] == pytest.approx([direct])
    apart = ({"pixel_values": PIXELS}, LABELS)
    assert model.evaluate(tf.data.Dataset.from_tensor_slices(apart).batch(6), verbose=0) < direct


def test_fit_with_xla() -> None:
    """What Keras compiles with by itself where there is a GPU."""
    model = model_of("ForImageClassification")
    direct = float(model(PIXELS, labels=LABELS).loss)
    model.compile("sgd", jit_compile=True)
    assert model.fit(PIXELS, LABELS, batch_size=6, verbose=0).history["loss"] == pytest.approx([direct], rel=1e-4)


def test_a_frozen_encoder_stays_as_it_is() -> None:
    model = model_of("ForImageClassification")
    model.backbone.trainable = False
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    before = [weight.numpy() for weight in model.weights]
    model.fit(PIXELS, LABELS, verbose=0)
    pairs = zip(before, model.weights, strict=True)
    assert sum(not np.array_equal(old, new) for old, new in pairs) == 2  # kernel and bias of the classifier


def test_fit_without_a_loss_to_be_had() -> None:
    model = model_of("Model")
    model.compile("sgd")
    with pytest.raises(ValueError, match="there is no loss without labels"):
        model.fit(PIXELS, verbose=0)
    classifier = model_of("ForImageClassification")
    classifier.compile("sgd")
    with pytest.raises(ValueError, match=r"sample_weight: .* give compile\(\) a Keras loss"):
        classifier.fit(PIXELS, LABELS, sample_weight=np.ones(6), verbose=0)


def test_fit_of_the_bare_model_to_targets_of_ones_own() -> None:
    model = model_of("Model")
    model.compile("adam", loss={"last_hidden_state": "mse"}, run_eagerly=True)
    targets = {"last_hidden_state": np.zeros((6, 17, 32), np.float32)}
    losses = model.fit(PIXELS, targets, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("task", TASKS)
def test_predict(task: str) -> None:
    model = model_of(task)
    found = model.predict(PIXELS, batch_size=4, verbose=0)
    expected = model(PIXELS)
    assert isinstance(found, TFModelOutput)
    assert sorted(found) == sorted(expected)
    for name, values in found.items():
        assert_close(values, expected[name], COMPONENT, name)


@pytest.mark.parametrize("task", TASKS)
def test_graphs_give_the_same_and_take_any_size(task: str) -> None:
    model = model_of(task, CONFIG.replace(use_absolute_position_embeddings=True))
    graph = tf.function(
        lambda pixels: model(pixels, output_hidden_states=True, output_attentions=True),
        input_signature=[tf.TensorSpec((None, None, None, None))],
    )
    for size in ((32, 32), (17, 30), (8, 56)):
        pixels = RANDOM.standard_normal((2, 3, *size)).astype(np.float32)
        expected = model(pixels, output_hidden_states=True, output_attentions=True)
        found = graph(pixels)
        assert isinstance(found, TFModelOutput)
        for name, values in expected.items():
            assert_close(found[name], values, COMPONENT, name)


@pytest.mark.parametrize("task", TASKS)
def test_a_saved_model_comes_back(task: str, tmp_path: Path) -> None:
    model = model_of(task, CONFIG.replace(use_mean_pooling=False))
    if task != "Model":
        model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
        model.fit(PIXELS, labels_of(task), verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    assert again.config == model.config
    for name, values in model(PIXELS).items():
        np.testing.assert_array_equal(again(PIXELS)[name], values)
    if task != "Model":
        assert int(again.optimizer.iterations) == 1
        again.fit(PIXELS, labels_of(task), verbose=0)


def test_a_saved_model_keeps_its_pooler(tmp_path: Path) -> None:
    TFData2VecVisionModel(CONFIG, add_pooling_layer=True).save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras")(PIXELS).pooler_output.shape == (6, 32)


@pytest.mark.parametrize("task", TASKS)
def test_an_exported_model_takes_any_size(task: str, tmp_path: Path) -> None:
    model = model_of(task, CONFIG.replace(use_absolute_position_embeddings=True))
    model.export(tmp_path / "served", verbose=False)
    served = tf.saved_model.load(str(tmp_path / "served"))
    for pixels in (PIXELS, PIXELS[:1, :, :19, :27]):
        expected = model(pixels)
        found = served.signatures["serving_default"](pixel_values=tf.constant(pixels))
        assert sorted(found) == sorted(expected)
        for name, values in expected.items():
            assert_close(found[name], values, COMPONENT, name)


def test_an_exported_model_may_be_held_to_a_size(tmp_path: Path) -> None:
    signature = [tf.TensorSpec((None, 3, 32, 32), tf.float32, name="pixel_values")]
    model_of("ForImageClassification").export(tmp_path / "served", verbose=False, input_signature=signature)
    served = tf.saved_model.load(str(tmp_path / "served")).signatures["serving_default"]
    assert served(pixel_values=tf.constant(PIXELS))["logits"].shape == (6, 5)
    with pytest.raises(tf.errors.InvalidArgumentError):
        served(pixel_values=tf.zeros((1, 3, 8, 8)))


def test_one_of_the_models_inside_another() -> None:
    """As an encoder in a model of somebody's own, built by function calls."""
    encoder = TFData2VecVisionModel(CONFIG, add_pooling_layer=True)
    pixels = keras.Input((3, 32, 32))
    model = keras.Model(pixels, keras.layers.Dense(2)(encoder(pixels).pooler_output))
    model.compile("adam", loss="mse", run_eagerly=True)
    losses = model.fit(PIXELS, np.ones((6, 2)), epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    assert len(model.trainable_weights) == len(encoder.trainable_weights) + 2


@pytest.mark.parametrize("task", TASKS)
def test_half_precision(task: str) -> None:
    """Weights in 32 bits, sums in bfloat16."""
    exact = model_of(task)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        rough = getattr(data2vec_tensorflow, f"TFData2VecVision{task}").from_pytorch(exact.to_pytorch())
        found = rough(PIXELS)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    for name, values in exact(PIXELS).items():
        assert found[name].dtype == tf.bfloat16
        assert_close(tf.cast(found[name], tf.float32), values, 0.1, name)


@pytest.mark.filterwarnings("error:Gradients do not exist")
def test_a_segmenter_whose_head_reads_the_last_block_trains_every_weight() -> None:
    model = TFData2VecVisionForSemanticSegmentation(CONFIG)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.compile(keras.optimizers.Adam(1e-3), run_eagerly=True)
    model.fit(PIXELS, MAPS, batch_size=6, epochs=2, verbose=0)  # what is behind a weight of 0 moves at the second step
    assert not any(np.array_equal(old, new) for old, new in zip(before, model.trainable_weights, strict=True))
