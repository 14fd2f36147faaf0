"""What plain Keras layers return and hold, computed without Keras: upper bounds, from shapes and configurations."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

Shape = tuple[int, ...]  # of what a layer takes or returns for one window
Config = dict[str, Any]
Rule = Callable[[Shape, Config], tuple[Shape, int]]

NO_PARAMETERS = 0


def size(kind: str, config: Config, taken: list[Shape]) -> tuple[Shape, int]:
    """Return the shape that a layer returns and how many parameters it holds, or upper bounds of these.

    `kind`: one of LAYERS. `config`: as Keras writes it. `taken`: the shapes of its inputs. Raises ValueError,
    KeyError, IndexError, TypeError or ZeroDivisionError if these do not fit the layer.
    """
    if kind == "InputLayer":
        () = taken
        return tuple(config["batch_shape"][1:]), NO_PARAMETERS
    if kind == "Concatenate":
        axis = config["axis"]
        longest = [max(lengths) for lengths in zip(*taken, strict=True)]
        along = axis - 1 if axis > 0 else axis
        longest[along] = sum(shape[along] for shape in taken)
        return tuple(longest), NO_PARAMETERS
    if kind in MERGES:
        return tuple(max(lengths) for lengths in zip(*taken, strict=True)), NO_PARAMETERS
    (shape,) = taken
    return SIMPLE[kind](shape, config)


def _dense(shape: Shape, config: Config) -> tuple[Shape, int]:
    units = config["units"]
    return (*shape[:-1], units), (shape[-1] + 1) * units


def _recurrent(gates: int) -> Rule:
    def rule(shape: Shape, config: Config) -> tuple[Shape, int]:
        (steps, features), units = shape, config["units"]
        returned = (steps, units) if config.get("return_sequences") else (units,)
        return returned, gates * units * (features + units + 2)

    return rule


def _convolution(shape: Shape, config: Config) -> tuple[Shape, int]:
    (steps, features), filters = shape, config["filters"]
    return (steps, filters), (_one(config["kernel_size"]) * features + 1) * filters


def _transposed(shape: Shape, config: Config) -> tuple[Shape, int]:
    (steps, filters), parameters = _convolution(shape, config)
    kernel = _one(config["kernel_size"]) * _one(config.get("dilation_rate", 1))
    return (steps * _one(config.get("strides", 1)) + kernel, filters), parameters


def _normalised(shape: Shape, _config: Config) -> tuple[Shape, int]:
    return shape, 4 * math.prod(shape)


def _unchanged(shape: Shape, _config: Config) -> tuple[Shape, int]:
    return shape, NO_PARAMETERS


def _pooled(shape: Shape, config: Config) -> tuple[Shape, int]:
    _, features = shape
    return ((1, features) if config.get("keepdims") else (features,)), NO_PARAMETERS


def _reshaped(shape: Shape, config: Config) -> tuple[Shape, int]:
    known = math.prod(length for length in config["target_shape"] if length > 0)
    rest = -(-math.prod(shape) // known)
    return tuple(length if length > 0 else rest for length in config["target_shape"]), NO_PARAMETERS


def _permuted(shape: Shape, config: Config) -> tuple[Shape, int]:
    return tuple(shape[dim - 1] for dim in config["dims"]), NO_PARAMETERS


def _repeated(shape: Shape, config: Config) -> tuple[Shape, int]:
    (features,) = shape
    return (config["n"], features), NO_PARAMETERS


def _upsampled(shape: Shape, config: Config) -> tuple[Shape, int]:
    steps, features = shape
    return (steps * _one(config["size"]), features), NO_PARAMETERS


def _padded(shape: Shape, config: Config) -> tuple[Shape, int]:
    steps, features = shape
    padding = config["padding"]
    return (steps + (sum(padding) if isinstance(padding, list) else 2 * padding), features), NO_PARAMETERS


def _each_step(shape: Shape, config: Config) -> tuple[Shape, int]:
    inner = config["layer"]
    returned, parameters = size(inner["class_name"], inner["config"], [shape[1:]])
    return (shape[0], *returned), parameters


def _one(value: int | Sequence[int]) -> int:
    if isinstance(value, int):
        return value
    (only,) = value
    return only


SIMPLE: dict[str, Rule] = {
    "Dense": _dense,
    "LSTM": _recurrent(4),
    "GRU": _recurrent(3),
    "SimpleRNN": _recurrent(1),
    "Conv1D": _convolution,
    "Conv1DTranspose": _transposed,
    **dict.fromkeys(("Normalization", "BatchNormalization", "LayerNormalization"), _normalised),
    **dict.fromkeys(
        ("Activation", "ReLU", "LeakyReLU", "ELU", "Softmax", "Dropout", "SpatialDropout1D", "GaussianNoise"),
        _unchanged,
    ),
    **dict.fromkeys(("MaxPooling1D", "AveragePooling1D", "Cropping1D"), _unchanged),  # or smaller
    **dict.fromkeys(("GlobalAveragePooling1D", "GlobalMaxPooling1D"), _pooled),
    "Flatten": lambda shape, _config: ((math.prod(shape),), NO_PARAMETERS),
    "Reshape": _reshaped,
    "Permute": _permuted,
    "RepeatVector": _repeated,
    "UpSampling1D": _upsampled,
    "ZeroPadding1D": _padded,
    "TimeDistributed": _each_step,
}

MERGES = {"Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate"}
LAYERS = {"InputLayer", *SIMPLE, *MERGES}
