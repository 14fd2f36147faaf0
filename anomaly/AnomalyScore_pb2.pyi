from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AnomalyScorePB(_message.Message):
    __slots__ = ["blamed", "error", "kind", "mse", "sample", "score", "state", "streams", "threshold", "timestamp", "training"]
    class Kind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    class Stream(_message.Message):
        __slots__ = ["error", "name", "predicted_by", "rebuilt"]
        ERROR_FIELD_NUMBER: _ClassVar[int]
        NAME_FIELD_NUMBER: _ClassVar[int]
        PREDICTED_BY_FIELD_NUMBER: _ClassVar[int]
        REBUILT_FIELD_NUMBER: _ClassVar[int]
        error: float
        name: str
        predicted_by: _containers.RepeatedScalarFieldContainer[float]
        rebuilt: _containers.RepeatedScalarFieldContainer[float]
        def __init__(self, name: _Optional[str] = ..., error: _Optional[float] = ..., rebuilt: _Optional[_Iterable[float]] = ..., predicted_by: _Optional[_Iterable[float]] = ...) -> None: ...
    class Training(_message.Message):
        __slots__ = ["epoch", "epochs", "loss", "samples"]
        EPOCHS_FIELD_NUMBER: _ClassVar[int]
        EPOCH_FIELD_NUMBER: _ClassVar[int]
        LOSS_FIELD_NUMBER: _ClassVar[int]
        SAMPLES_FIELD_NUMBER: _ClassVar[int]
        epoch: int
        epochs: int
        loss: float
        samples: int
        def __init__(self, samples: _Optional[int] = ..., epochs: _Optional[int] = ..., epoch: _Optional[int] = ..., loss: _Optional[float] = ...) -> None: ...
    ANOMALY: AnomalyScorePB.State
    BLAMED_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    FROZEN: AnomalyScorePB.Kind
    KIND_FIELD_NUMBER: _ClassVar[int]
    LEVEL: AnomalyScorePB.Kind
    MSE_FIELD_NUMBER: _ClassVar[int]
    NOISE: AnomalyScorePB.Kind
    NORMAL: AnomalyScorePB.State
    OUTSIDE: AnomalyScorePB.Kind
    RELATION: AnomalyScorePB.Kind
    SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TRAINING_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN: AnomalyScorePB.State
    blamed: str
    error: str
    kind: AnomalyScorePB.Kind
    mse: float
    sample: int
    score: float
    state: AnomalyScorePB.State
    streams: _containers.RepeatedCompositeFieldContainer[AnomalyScorePB.Stream]
    threshold: float
    timestamp: int
    training: AnomalyScorePB.Training
    def __init__(self, timestamp: _Optional[int] = ..., sample: _Optional[int] = ..., mse: _Optional[float] = ..., state: _Optional[_Union[AnomalyScorePB.State, str]] = ..., score: _Optional[float] = ..., threshold: _Optional[float] = ..., streams: _Optional[_Iterable[_Union[AnomalyScorePB.Stream, _Mapping]]] = ..., blamed: _Optional[str] = ..., kind: _Optional[_Union[AnomalyScorePB.Kind, str]] = ..., training: _Optional[_Union[AnomalyScorePB.Training, _Mapping]] = ..., error: _Optional[str] = ...) -> None: ...
