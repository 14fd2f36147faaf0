from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GravityMetricsDataPB(_message.Message):
    __slots__ = ["componentID", "ipAddress", "metrics"]
    COMPONENTID_FIELD_NUMBER: _ClassVar[int]
    IPADDRESS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    componentID: str
    ipAddress: str
    metrics: _containers.RepeatedCompositeFieldContainer[GravityMetricsPB]
    def __init__(self, componentID: _Optional[str] = ..., ipAddress: _Optional[str] = ..., metrics: _Optional[_Iterable[_Union[GravityMetricsPB, _Mapping]]] = ...) -> None: ...

class GravityMetricsPB(_message.Message):
    __slots__ = ["dataProductID", "endTime", "messageType", "numBytes", "numMessages", "startTime"]
    class MessageType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    DATAPRODUCTID_FIELD_NUMBER: _ClassVar[int]
    ENDTIME_FIELD_NUMBER: _ClassVar[int]
    MESSAGETYPE_FIELD_NUMBER: _ClassVar[int]
    NUMBYTES_FIELD_NUMBER: _ClassVar[int]
    NUMMESSAGES_FIELD_NUMBER: _ClassVar[int]
    PUBLICATION: GravityMetricsPB.MessageType
    REQUEST: GravityMetricsPB.MessageType
    RESPONSE: GravityMetricsPB.MessageType
    STARTTIME_FIELD_NUMBER: _ClassVar[int]
    SUBSCRIPTION: GravityMetricsPB.MessageType
    dataProductID: str
    endTime: _containers.RepeatedScalarFieldContainer[int]
    messageType: GravityMetricsPB.MessageType
    numBytes: _containers.RepeatedScalarFieldContainer[int]
    numMessages: _containers.RepeatedScalarFieldContainer[int]
    startTime: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, dataProductID: _Optional[str] = ..., messageType: _Optional[_Union[GravityMetricsPB.MessageType, str]] = ..., startTime: _Optional[_Iterable[int]] = ..., endTime: _Optional[_Iterable[int]] = ..., numBytes: _Optional[_Iterable[int]] = ..., numMessages: _Optional[_Iterable[int]] = ...) -> None: ...
