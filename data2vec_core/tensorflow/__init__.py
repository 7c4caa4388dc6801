"""The three vision classes for TensorFlow: `keras.Model`s (Keras 3) with the configurations, the checkpoints and the
numbers of the PyTorch classes (data2vec.md 2.4).

An optional extra: `pip install -r requirements-tensorflow.txt`. Nothing else in the project imports TensorFlow.

Where the TensorFlow classes of transformers 4.x are known to be wrong, these equal the PyTorch classes instead: they
work without mean pooling, at any image size, pool every region of the pyramid from the map itself, give losses that are
one number, and have every convolution of the auxiliary head under the name that PyTorch knows.
"""

try:
    import keras
    import tensorflow  # noqa: F401
except ImportError as error:
    raise ImportError(
        "data2vec_core.tensorflow needs TensorFlow, which is an optional extra: "
        "pip install -r requirements-tensorflow.txt"
    ) from error

if keras.backend.backend() != "tensorflow":
    raise ImportError(
        f"data2vec_core.tensorflow needs Keras on TensorFlow, and here it runs on {keras.backend.backend()}: "
        "set KERAS_BACKEND=tensorflow before Keras is imported"
    )

from data2vec_core.tensorflow.classification import TFData2VecVisionForImageClassification
from data2vec_core.tensorflow.model import TFData2VecVisionModel
from data2vec_core.tensorflow.segmentation import TFData2VecVisionForSemanticSegmentation

__all__ = [
    "TFData2VecVisionForImageClassification",
    "TFData2VecVisionForSemanticSegmentation",
    "TFData2VecVisionModel",
]
