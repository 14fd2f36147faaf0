from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class WindowPB(_message.Message):
    __slots__ = ["streams", "timestamp"]
    class Stream(_message.Message):
        __slots__ = ["name", "values"]
        NAME_FIELD_NUMBER: _ClassVar[int]
        VALUES_FIELD_NUMBER: _ClassVar[int]
        name: str
        values: _containers.RepeatedScalarFieldContainer[float]
        def __init__(self, name: _Optional[str] = ..., values: _Optional[_Iterable[float]] = ...) -> None: ...
    STREAMS_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    streams: _containers.RepeatedCompositeFieldContainer[WindowPB.Stream]
    timestamp: int
    def __init__(self, streams: _Optional[_Iterable[_Union[WindowPB.Stream, _Mapping]]] = ..., timestamp: _Optional[int] = ...) -> None: ...
