from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AlarmPB(_message.Message):
    __slots__ = ["on", "source", "what"]
    ON_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    WHAT_FIELD_NUMBER: _ClassVar[int]
    on: bool
    source: str
    what: str
    def __init__(self, source: _Optional[str] = ..., on: bool = ..., what: _Optional[str] = ...) -> None: ...

class MotorPB(_message.Message):
    __slots__ = ["electrics", "measured", "rpm"]
    class Electrics(_message.Message):
        __slots__ = ["current", "voltage"]
        CURRENT_FIELD_NUMBER: _ClassVar[int]
        VOLTAGE_FIELD_NUMBER: _ClassVar[int]
        current: float
        voltage: float
        def __init__(self, current: _Optional[float] = ..., voltage: _Optional[float] = ...) -> None: ...
    ELECTRICS_FIELD_NUMBER: _ClassVar[int]
    MEASURED_FIELD_NUMBER: _ClassVar[int]
    RPM_FIELD_NUMBER: _ClassVar[int]
    electrics: MotorPB.Electrics
    measured: int
    rpm: int
    def __init__(self, rpm: _Optional[int] = ..., electrics: _Optional[_Union[MotorPB.Electrics, _Mapping]] = ..., measured: _Optional[int] = ...) -> None: ...

class PumpPB(_message.Message):
    __slots__ = ["flow", "pressure"]
    FLOW_FIELD_NUMBER: _ClassVar[int]
    PRESSURE_FIELD_NUMBER: _ClassVar[int]
    flow: float
    pressure: float
    def __init__(self, pressure: _Optional[float] = ..., flow: _Optional[float] = ...) -> None: ...
