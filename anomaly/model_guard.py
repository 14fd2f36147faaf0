"""What an architecture may hold: plain Keras layers, plainly configured, of bounded size.

Keras builds whatever a file names: layers that run code, modules that are imported, kernels that fill the memory. So
it gets a copy that is made here, of the parts that are known to be harmless, with the sizes of all layers computed
before. What only training needs (initialisers, regularisers, constraints, how a layer was built) is left out.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection
from itertools import pairwise

from anomaly.layer_sizes import LAYERS, MERGES, SIMPLE, Config, Shape, size

MOST_LAYERS = 100
MOST_PARAMETERS = 1 << 26  # numbers in all layers: 256 MiB
LARGEST_OUTPUT = 1 << 18  # numbers that a layer returns for one window
LARGEST_INTEGER = 1 << 24
LONGEST_NAME = 100  # characters

ACTIVATIONS = {
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "mish", "tanh", "sigmoid", "hard_sigmoid",
    "softmax", "softplus", "softsign", "exponential",
}  # fmt: skip


class Refused(ValueError):
    """An architecture is not allowed; the text says which part of it."""


def checked(text: str) -> Config:
    """Return the configuration of a functional model, for `keras.Model.from_config`.

    `text`: the JSON of a functional or sequential Keras 3 model with one input and one output. Raises Refused.
    """
    try:
        model = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Refused(str(error)) from None
    kind, config = _parts(model, "the model")
    layers = config.get("layers")
    if kind not in ("Functional", "Sequential"):
        raise Refused(f"a model of class {_shown(kind)} is not allowed")
    if not isinstance(layers, list) or not 1 < len(layers) <= MOST_LAYERS:
        raise Refused(f"there are not 2 to {MOST_LAYERS} layers")
    read = [_layer(layer, f"layers[{index}]") for index, layer in enumerate(layers)]
    names = [clean["name"] for _, clean in read]
    if kind == "Functional":
        sources = [_sources(layer, name) for layer, name in zip(layers, names, strict=True)]
        ends = [_end(config, "input_layers"), _end(config, "output_layers")]
    else:
        sources = [[], *([before] for before, _ in pairwise(names))]
        ends = [names[0], names[-1]]
    return {
        "name": "model",
        "layers": _graph(read, sources),
        "input_layers": [ends[0], 0, 0],
        "output_layers": [ends[1], 0, 0],
    }


def _parts(thing: object, place: str) -> tuple[object, Config]:
    """Return the class and the configuration of an object of Keras's own."""
    match thing:
        case {"module": str(module), "class_name": kind, "config": dict(config), "registered_name": registered} if (
            module.partition(".")[0] == "keras" and registered in (None, kind)
        ):
            return kind, config
    raise Refused(f"{place} is not an object of Keras 3")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:
        text = "..."
    return text if len(text) <= 40 else text[:40] + "..."


# One layer


def _layer(layer: object, place: str, allowed: Collection[str] = LAYERS) -> tuple[str, Config]:
    """Return the class and the configuration of a layer, one of the `allowed` classes."""
    kind, config = _parts(layer, place)
    name = config.get("name")
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= LONGEST_NAME or "/" in name:
        raise Refused(f"{place}: name = {_shown(name)} is not allowed")
    place = f"layer {name}"
    if not isinstance(kind, str) or kind not in allowed:
        raise Refused(f"{place} is of class {_shown(kind)}, which is not allowed")
    clean: Config = {"name": name}
    for key, value in config.items():
        if key.endswith("_initializer"):
            clean[key] = "zeros"
        elif key.endswith(("_regularizer", "_constraint")) or key == "name":
            pass
        elif key == "layer":
            clean[key] = _object(*_layer(value, f"{place}, key layer", SIMPLE.keys() - {"TimeDistributed"}))
        elif not KEYS.get(key, _nothing)(value):
            raise Refused(f"{place}: {_shown(key)[1:-1]} = {_shown(value)} is not allowed")
        elif value is not None and key != "dtype":
            clean[key] = value
    return kind, clean


def _object(kind: str, config: Config) -> Config:
    return {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}


def _nothing(value: object) -> bool:
    return value is None  # newer versions of Keras have more keys, which are null unless used


def _is_off(value: object) -> bool:
    return value is False


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_number(value: object) -> bool:
    return value is None or (isinstance(value, (int, float)) and abs(value) <= LARGEST_INTEGER)


def _is_integer(value: object) -> bool:
    return type(value) is int and abs(value) <= LARGEST_INTEGER


def _is_size(value: object) -> bool:
    return _is_integer(value) and value > 0  # type: ignore[operator]


def _are(each: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and len(value) <= 4 and all(map(each, value))


def _or_list(each: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: each(value) or _are(each)(value)


def _in(*words: str) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in words


def _is_padding(value: object) -> bool:
    return _in("valid", "same", "causal")(value) or _or_list(lambda n: _is_integer(n) and n >= 0)(value)  # type: ignore[operator]


def _is_float32(value: object) -> bool:
    match value:
        case "float32" | {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}}:
            return True
    return value is None


# Keys mean the same in all layers; Keras itself refuses those that a layer does not have.
KEYS: dict[str, Callable[[object], bool]] = {
    "dtype": _is_float32,
    "batch_shape": lambda value: isinstance(value, list) and value[:1] == [None] and _are(_is_size)(value[1:]),
    **dict.fromkeys(("units", "filters", "n", "groups"), _is_size),
    **dict.fromkeys(("kernel_size", "strides", "pool_size", "size", "dilation_rate"), _or_list(_is_size)),
    **dict.fromkeys(("axis", "target_shape", "dims"), _or_list(_is_integer)),
    **dict.fromkeys(("padding", "cropping"), _is_padding),
    **dict.fromkeys(("activation", "recurrent_activation"), _in(*ACTIVATIONS)),
    "data_format": _in("channels_last"),
    **dict.fromkeys(
        ("trainable", "use_bias", "unit_forget_bias", "return_sequences", "go_backwards", "zero_output_for_mask",
         "reset_after", "keepdims", "invert", "center", "scale", "rms_scaling", "optional"), _is_flag,
    ),
    **dict.fromkeys(("return_state", "stateful", "unroll", "sparse", "ragged", "synchronized", "renorm"), _is_off),
    **dict.fromkeys(
        ("dropout", "recurrent_dropout", "rate", "stddev", "seed", "alpha", "negative_slope", "threshold",
         "max_value", "momentum", "renorm_momentum", "epsilon"), _is_number,
    ),
}  # fmt: skip


# The layers together


def _sources(layer: Config, name: str) -> list[str]:
    """Return the names of the layers that a layer takes its input from."""
    match layer.get("inbound_nodes"):
        case []:
            return []
        case [{"args": [argument], "kwargs": dict(options)}] if not any(options.values()):
            tensors = argument if isinstance(argument, list) else [argument]
            return [_tensor(tensor, name) for tensor in tensors]
    raise Refused(f"layer {name} is not used once, with plain arguments")


def _tensor(tensor: object, name: str) -> str:
    match tensor:
        case {"class_name": "__keras_tensor__", "config": {"keras_history": [str(source), 0, 0]}}:
            return source
    raise Refused(f"layer {name} has an input that is not another layer's output")


def _end(config: Config, key: str) -> str:
    match config.get(key):
        case [str(name), 0, 0] | [[str(name), 0, 0]]:
            return name
    raise Refused(f"{key} = {_shown(config.get(key))}, but there must be one")


def _graph(layers: list[tuple[str, Config]], sources: list[list[str]]) -> list[Config]:
    """Return the layers of a functional model; raise Refused if they are too large or not in order."""
    shapes: dict[str, Shape] = {}
    graph: list[Config] = []
    parameters = 0
    for (kind, config), names in zip(layers, sources, strict=True):
        name = config["name"]
        if name in shapes or not shapes.keys() >= set(names):
            raise Refused(
                f"layer {name} is not after the layers that it takes its input from, or is not the only one"
            )
        try:
            shapes[name], count = size(kind, config, [shapes[source] for source in names])
        except (ValueError, KeyError, IndexError, TypeError, ZeroDivisionError):
            raise Refused(f"layer {name} does not fit its input") from None
        parameters += count
        if parameters > MOST_PARAMETERS or math.prod(shapes[name]) > LARGEST_OUTPUT:
            raise Refused(
                f"with layer {name} the model gets too large: a layer may return {LARGEST_OUTPUT} numbers, "
                f"all may hold {MOST_PARAMETERS}"
            )
        tensors = [_tensor_of(source, shapes[source]) for source in names]
        nodes = [{"args": [tensors if kind in MERGES else tensors[0]], "kwargs": {}}] if tensors else []
        graph.append(_object(kind, config) | {"name": name, "inbound_nodes": nodes})
    return graph


def _tensor_of(source: str, shape: Shape) -> Config:
    config = {"shape": [None, *shape], "dtype": "float32", "keras_history": [source, 0, 0]}
    return {"class_name": "__keras_tensor__", "config": config}
