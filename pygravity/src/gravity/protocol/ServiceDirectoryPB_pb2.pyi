from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ComponentDataLookupResponsePB(_message.Message):
    __slots__ = ["domain_id", "lookupID", "publishers"]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    LOOKUPID_FIELD_NUMBER: _ClassVar[int]
    PUBLISHERS_FIELD_NUMBER: _ClassVar[int]
    domain_id: str
    lookupID: str
    publishers: _containers.RepeatedCompositeFieldContainer[PublisherInfoPB]
    def __init__(self, lookupID: _Optional[str] = ..., publishers: _Optional[_Iterable[_Union[PublisherInfoPB, _Mapping]]] = ..., domain_id: _Optional[str] = ...) -> None: ...

class ComponentLookupRequestPB(_message.Message):
    __slots__ = ["domain_id", "lookupID", "type"]
    class RegistrationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    DATA: ComponentLookupRequestPB.RegistrationType
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    LOOKUPID_FIELD_NUMBER: _ClassVar[int]
    SERVICE: ComponentLookupRequestPB.RegistrationType
    TYPE_FIELD_NUMBER: _ClassVar[int]
    domain_id: str
    lookupID: str
    type: ComponentLookupRequestPB.RegistrationType
    def __init__(self, lookupID: _Optional[str] = ..., type: _Optional[_Union[ComponentLookupRequestPB.RegistrationType, str]] = ..., domain_id: _Optional[str] = ...) -> None: ...

class ComponentServiceLookupResponsePB(_message.Message):
    __slots__ = ["domain_id", "lookupID", "registration_time", "url"]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    LOOKUPID_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    domain_id: str
    lookupID: str
    registration_time: int
    url: str
    def __init__(self, lookupID: _Optional[str] = ..., url: _Optional[str] = ..., domain_id: _Optional[str] = ..., registration_time: _Optional[int] = ...) -> None: ...

class ConfigRequestPB(_message.Message):
    __slots__ = ["componentID"]
    COMPONENTID_FIELD_NUMBER: _ClassVar[int]
    componentID: str
    def __init__(self, componentID: _Optional[str] = ...) -> None: ...

class ConfigeResponsePB(_message.Message):
    __slots__ = ["key", "value"]
    KEY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    key: _containers.RepeatedScalarFieldContainer[str]
    value: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, key: _Optional[_Iterable[str]] = ..., value: _Optional[_Iterable[str]] = ...) -> None: ...

class PublisherInfoPB(_message.Message):
    __slots__ = ["componentID", "ipAddress", "isRelay", "registration_time", "url"]
    COMPONENTID_FIELD_NUMBER: _ClassVar[int]
    IPADDRESS_FIELD_NUMBER: _ClassVar[int]
    ISRELAY_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    componentID: str
    ipAddress: str
    isRelay: bool
    registration_time: int
    url: str
    def __init__(self, url: _Optional[str] = ..., isRelay: bool = ..., componentID: _Optional[str] = ..., ipAddress: _Optional[str] = ..., registration_time: _Optional[int] = ...) -> None: ...

class ServiceDirectoryBroadcastPB(_message.Message):
    __slots__ = ["domain", "id", "rate", "starttime", "url"]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    RATE_FIELD_NUMBER: _ClassVar[int]
    STARTTIME_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    domain: str
    id: str
    rate: int
    starttime: int
    url: str
    def __init__(self, id: _Optional[str] = ..., domain: _Optional[str] = ..., url: _Optional[str] = ..., rate: _Optional[int] = ..., starttime: _Optional[int] = ...) -> None: ...

class ServiceDirectoryRegistrationPB(_message.Message):
    __slots__ = ["component_id", "domain", "id", "ip_address", "is_relay", "timestamp", "type", "url"]
    class RegistrationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    DATA: ServiceDirectoryRegistrationPB.RegistrationType
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    IP_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    IS_RELAY_FIELD_NUMBER: _ClassVar[int]
    SERVICE: ServiceDirectoryRegistrationPB.RegistrationType
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    component_id: str
    domain: str
    id: str
    ip_address: str
    is_relay: bool
    timestamp: int
    type: ServiceDirectoryRegistrationPB.RegistrationType
    url: str
    def __init__(self, id: _Optional[str] = ..., url: _Optional[str] = ..., type: _Optional[_Union[ServiceDirectoryRegistrationPB.RegistrationType, str]] = ..., component_id: _Optional[str] = ..., domain: _Optional[str] = ..., timestamp: _Optional[int] = ..., is_relay: bool = ..., ip_address: _Optional[str] = ...) -> None: ...

class ServiceDirectoryResponsePB(_message.Message):
    __slots__ = ["id", "returnCode"]
    class ReturnCodes(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    DUPLICATE_REGISTRATION: ServiceDirectoryResponsePB.ReturnCodes
    ID_FIELD_NUMBER: _ClassVar[int]
    NOT_REGISTERED: ServiceDirectoryResponsePB.ReturnCodes
    REGISTRATION_CONFLICT: ServiceDirectoryResponsePB.ReturnCodes
    RETURNCODE_FIELD_NUMBER: _ClassVar[int]
    SUCCESS: ServiceDirectoryResponsePB.ReturnCodes
    id: str
    returnCode: ServiceDirectoryResponsePB.ReturnCodes
    def __init__(self, id: _Optional[str] = ..., returnCode: _Optional[_Union[ServiceDirectoryResponsePB.ReturnCodes, str]] = ...) -> None: ...

class ServiceDirectoryUnregistrationPB(_message.Message):
    __slots__ = ["domain", "id", "registration_time", "type", "url"]
    class RegistrationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    DATA: ServiceDirectoryUnregistrationPB.RegistrationType
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_TIME_FIELD_NUMBER: _ClassVar[int]
    SERVICE: ServiceDirectoryUnregistrationPB.RegistrationType
    TYPE_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    domain: str
    id: str
    registration_time: int
    type: ServiceDirectoryUnregistrationPB.RegistrationType
    url: str
    def __init__(self, id: _Optional[str] = ..., url: _Optional[str] = ..., type: _Optional[_Union[ServiceDirectoryUnregistrationPB.RegistrationType, str]] = ..., domain: _Optional[str] = ..., registration_time: _Optional[int] = ...) -> None: ...
