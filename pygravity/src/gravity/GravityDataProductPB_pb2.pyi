from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class GravityDataProductPB(_message.Message):
    __slots__ = ["componentID", "data", "dataProductID", "domain", "future_response", "future_socket_url", "is_cached_dataproduct", "is_relayed_dataproduct", "protocol", "received_timestamp", "registration_time", "softwareVersion", "timestamp", "type_name"]
    COMPONENTID_FIELD_NUMBER: _ClassVar[int]
    DATAPRODUCTID_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    FUTURE_RESPONSE_FIELD_NUMBER: _ClassVar[int]
    FUTURE_SOCKET_URL_FIELD_NUMBER: _ClassVar[int]
    IS_CACHED_DATAPRODUCT_FIELD_NUMBER: _ClassVar[int]
    IS_RELAYED_DATAPRODUCT_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    SOFTWAREVERSION_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TYPE_NAME_FIELD_NUMBER: _ClassVar[int]
    componentID: str
    data: bytes
    dataProductID: str
    domain: str
    future_response: bool
    future_socket_url: str
    is_cached_dataproduct: bool
    is_relayed_dataproduct: bool
    protocol: str
    received_timestamp: int
    registration_time: int
    softwareVersion: str
    timestamp: int
    type_name: str
    def __init__(self, timestamp: _Optional[int] = ..., dataProductID: _Optional[str] = ..., softwareVersion: _Optional[str] = ..., data: _Optional[bytes] = ..., componentID: _Optional[str] = ..., domain: _Optional[str] = ..., future_response: bool = ..., future_socket_url: _Optional[str] = ..., received_timestamp: _Optional[int] = ..., is_cached_dataproduct: bool = ..., is_relayed_dataproduct: bool = ..., protocol: _Optional[str] = ..., type_name: _Optional[str] = ..., registration_time: _Optional[int] = ...) -> None: ...
