"""A model's weights in an HDF5 group, laid out as Keras's own `load_weights` reads them from a file model.h5.

Keras itself reads and writes only files that have a name: on a disk that is full, halves of them would stay behind.
"""

from __future__ import annotations

from collections.abc import Iterable

import h5py
import keras


def write(model: keras.Model, group: h5py.Group) -> None:
    """Write all weights: a group for each layer, whose attribute names its datasets in order."""
    group.attrs["keras_version"] = keras.__version__
    group.attrs["backend"] = keras.backend.backend()
    group.attrs["layer_names"] = [layer.name for layer in model.layers]
    for layer in model.layers:
        of_layer = group.create_group(layer.name)
        of_layer.attrs["weight_names"] = [variable.path for variable in _variables(layer)]
        for variable in _variables(layer):
            of_layer[variable.path] = keras.ops.convert_to_numpy(variable)


def read(model: keras.Model, group: h5py.Group) -> None:
    """Read all weights, layer by layer in order; raise ValueError, or what else h5py raises, if they do not fit."""
    named = {name: _texts(group[name].attrs["weight_names"]) for name in _texts(group.attrs["layer_names"])}
    saved = [[group[name][weight][()] for weight in weights] for name, weights in named.items() if weights]
    layers = [layer for layer in model.layers if _variables(layer)]
    if len(saved) != len(layers):
        raise ValueError(f"{len(layers)} layers have weights, but the file holds those of {len(saved)}")
    for layer, arrays in zip(layers, saved, strict=True):
        variables = _variables(layer)
        if [variable.shape for variable in variables] != [array.shape for array in arrays]:
            raise ValueError(f"the weights of layer {layer.name} have other shapes")
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def _variables(layer: keras.Layer) -> list[keras.Variable]:
    return [*layer.trainable_weights, *layer.non_trainable_weights]


def _texts(names: Iterable[str | bytes]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else name for name in names]
