"""Only what `checked` lets through reaches Keras."""

import json

import keras
import numpy as np
import pytest
from keras import layers

from anomaly import model_guard
from anomaly.autoencoder import build
from anomaly.layer_sizes import MERGES, SIMPLE, size
from anomaly.model_guard import Refused, checked

OURS = json.loads(build(20, 2).to_json())


def refusal(model):
    with pytest.raises(Refused) as caught:
        checked(model if isinstance(model, str) else json.dumps(model))
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300
    return str(caught.value)


def edited(*path, value):
    """Our model with one value changed; layers are named."""
    model = json.loads(json.dumps(OURS))
    *way, last = path
    part = model
    for step in way:
        if isinstance(part, list) and isinstance(step, str):
            step = next(index for index, layer in enumerate(part) if layer["name"] == step)
        part = part[step]
    part[last] = value
    return model


def layer(name, *path, value):
    return edited("config", "layers", name, *path, value=value)


def rebuilt(model):
    """What Keras builds from what `checked` returns, with the weights of `model`."""
    again = keras.Model.from_config(checked(model.to_json()))
    again.set_weights(model.get_weights())
    assert (again.input_shape, again.output_shape) == (model.input_shape, model.output_shape)
    return again


@pytest.mark.parametrize(("n_steps", "n_streams"), [(20, 2), (20, 256), (5, 3)])
def test_the_models_that_are_trained_here_pass(n_steps, n_streams):
    model = build(n_steps, n_streams)
    x = np.random.default_rng(0).normal(size=(3, n_steps, n_streams)).astype(np.float32)
    np.testing.assert_array_equal(rebuilt(model)(x), model(x))


PLAIN = [
    layers.Dense(3), layers.LSTM(2, return_sequences=True, dropout=0.1), layers.GRU(2), layers.SimpleRNN(2),
    layers.Conv1D(2, 3, strides=2, padding="causal"), layers.Conv1DTranspose(2, 3, strides=2), layers.Normalization(),
    layers.BatchNormalization(), layers.LayerNormalization(), layers.Activation("relu"), layers.ReLU(),
    layers.LeakyReLU(), layers.ELU(), layers.Softmax(), layers.Dropout(0.1), layers.SpatialDropout1D(0.1),
    layers.GaussianNoise(0.1), layers.MaxPooling1D(3), layers.AveragePooling1D(2), layers.Cropping1D(2),
    layers.GlobalAveragePooling1D(), layers.GlobalMaxPooling1D(keepdims=True), layers.Flatten(),
    layers.Reshape((10, -1)), layers.Permute((2, 1)), layers.UpSampling1D(3), layers.ZeroPadding1D((1, 2)),
    layers.TimeDistributed(layers.Dense(3)), layers.RepeatVector(4),
]  # fmt: skip


@pytest.mark.parametrize("plain", PLAIN, ids=lambda plain: type(plain).__name__)
def test_plain_layers_pass(plain):
    model = keras.Sequential([keras.Input((20, 2) if type(plain) is not layers.RepeatVector else (2,)), plain])
    rebuilt(model)
    bound, parameters = size(type(plain).__name__, plain_config(model), [model.input_shape[1:]])
    assert parameters >= model.count_params() and len(bound) == len(model.output_shape) - 1
    assert all(most >= length for most, length in zip(bound, model.output_shape[1:], strict=True))


def plain_config(model):
    return json.loads(model.to_json())["config"]["layers"][1]["config"]


def test_every_allowed_layer_is_tested():
    assert {type(plain).__name__ for plain in PLAIN} == SIMPLE.keys()


@pytest.mark.parametrize("merge", sorted(MERGES))
def test_layers_with_two_inputs_pass(merge):
    x = keras.Input((20, 2))
    both = [layers.Dense(2)(x), layers.LSTM(2, return_sequences=True)(x)]
    rebuilt(keras.Model(x, getattr(layers, merge)()(both)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "maximum recursion depth"),
        ("9" * 10_000, "Exceeds the limit"),
        ("[]", "the model is not an object of Keras 3"),
        ({"class_name": "Functional", "config": {}}, "the model is not an object of Keras 3"),
        (keras.saving.serialize_keras_object(layers.Dense(2)), 'a model of class "Dense" is not allowed'),
        (edited("registered_name", value="my>Model"), "the model is not an object of Keras 3"),
        (edited("config", "layers", value=[]), "there are not 2 to 100 layers"),
        (edited("config", "layers", value=[{}] * 101), "there are not 2 to 100 layers"),
        (edited("config", "layers", value=[1, 2]), "layers[0] is not an object of Keras 3"),
        (edited("config", "input_layers", value=[["a", 0, 0], ["b", 0, 0]]), "input_layers = "),
        (layer("code", "class_name", value="Lambda"), 'layer code is of class "Lambda", which is not allowed'),
        (layer("code", "class_name", value="StackedRNNCells"), "layer code is of class "),
        (layer("code", "class_name", value=["Dense"]), "layer code is of class "),
        (layer("code", "module", value="os"), "layers[5] is not an object of Keras 3"),
        (layer("code", "registered_name", value="my>Dense"), "layers[5] is not an object of Keras 3"),
        (layer("code", "config", "name", value="a/b"), 'layers[5]: name = "a/b" is not allowed'),
        (layer("code", "config", "name", value="\x1b[2J"), "layers[5]: name = "),
        (layer("code", "config", "activation", value="evil"), 'layer code: activation = "evil" is not allowed'),
        (layer("code", "config", "activation", value={"class_name": "f"}), "layer code: activation = "),
        (layer("code", "config", "dtype", value="float64"), 'layer code: dtype = "float64" is not allowed'),
        (layer("code", "config", "lora_rank", value=4), "layer code: lora_rank = 4 is not allowed"),
        (layer("code", "config", "quantization_config", value={}), "layer code: quantization_config = "),
        (layer("code", "config", "units", value=10**9), "layer code: units = 1000000000 is not allowed"),
        (layer("code", "config", "units", value=1 << 22), "with layer code the model gets too large"),
        (layer("code", "config", "units", value=-1), "layer code: units = -1 is not allowed"),
        (layer("code", "config", "units", value=True), "layer code: units = true is not allowed"),
        (layer("repeat", "config", "n", value=1 << 20), "with layer repeat the model gets too large"),
        (layer("encoder", "config", "unroll", value=True), "layer encoder: unroll = true is not allowed"),
        (layer("encoder", "config", "dropout", value=float("nan")), "layer encoder: dropout = NaN is not allowed"),
        (layer("windows", "config", "batch_shape", value=[None, 1 << 14, 1 << 10]), "with layer windows the model"),
        (layer("windows", "config", "batch_shape", value=[1 << 20, 20, 2]), "layer windows: batch_shape = "),
        (layer("unflatten", "config", "target_shape", value=[0, 2]), None),
        (layer("encoder", "inbound_nodes", 0, "kwargs", value={"mask": {"x": 1}}), "layer encoder is not used once"),
        (layer("encoder", "inbound_nodes", value=[]), "layer encoder does not fit its input"),
        (layer("encoder", "inbound_nodes", 0, "args", value=["less_mean"]), "layer encoder has an input that is "),
        (layer("encoder", "config", "name", value="code"), "layer code is not after the layers"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(model, message):
    if message is None:
        assert checked(json.dumps(model))  # Keras itself refuses it
    else:
        assert refusal(model).startswith(message)


def test_parameters_are_counted_before_anything_is_built(monkeypatch):
    monkeypatch.setattr(model_guard, "MOST_PARAMETERS", 2 * build(20, 2).count_params())
    assert checked(json.dumps(OURS))  # Normalization counts too much
    monkeypatch.setattr(model_guard, "MOST_PARAMETERS", build(20, 2).count_params() - 1)
    assert "too large" in refusal(OURS)


def test_a_layer_inside_another_is_checked_as_well():
    text = keras.Sequential([keras.Input((20, 2)), layers.TimeDistributed(layers.Dense(2))]).to_json()
    assert "Lambda" in refusal(text.replace('"Dense"', '"Lambda"'))
    inner = json.loads(text)["config"]["layers"][1]
    nested = json.loads(text)
    nested["config"]["layers"][1]["config"]["layer"] = inner
    assert '"TimeDistributed", which is not allowed' in refusal(nested)
