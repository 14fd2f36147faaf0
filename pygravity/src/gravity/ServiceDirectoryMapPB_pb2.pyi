from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProductChange(_message.Message):
    __slots__ = ["change_type", "component_id", "product_id", "registration_type", "timestamp", "url"]
    class ChangeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    class RegistrationType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ADD: ProductChange.ChangeType
    CHANGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    DATA: ProductChange.RegistrationType
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    REGISTRATION_TYPE_FIELD_NUMBER: _ClassVar[int]
    REMOVE: ProductChange.ChangeType
    SERVICE: ProductChange.RegistrationType
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    change_type: ProductChange.ChangeType
    component_id: str
    product_id: str
    registration_type: ProductChange.RegistrationType
    timestamp: int
    url: str
    def __init__(self, product_id: _Optional[str] = ..., url: _Optional[str] = ..., registration_type: _Optional[_Union[ProductChange.RegistrationType, str]] = ..., change_type: _Optional[_Union[ProductChange.ChangeType, str]] = ..., component_id: _Optional[str] = ..., timestamp: _Optional[int] = ...) -> None: ...

class ProductLocations(_message.Message):
    __slots__ = ["component_id", "domain_id", "product_id", "timestamp", "url"]
    COMPONENT_ID_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_ID_FIELD_NUMBER: _ClassVar[int]
    TIMESTAMP_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    component_id: _containers.RepeatedScalarFieldContainer[str]
    domain_id: _containers.RepeatedScalarFieldContainer[str]
    product_id: str
    timestamp: _containers.RepeatedScalarFieldContainer[int]
    url: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, product_id: _Optional[str] = ..., url: _Optional[_Iterable[str]] = ..., component_id: _Optional[_Iterable[str]] = ..., domain_id: _Optional[_Iterable[str]] = ..., timestamp: _Optional[_Iterable[int]] = ...) -> None: ...

class ServiceDirectoryMapPB(_message.Message):
    __slots__ = ["change", "data_provider", "domain", "service_provider"]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    DATA_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DOMAIN_FIELD_NUMBER: _ClassVar[int]
    SERVICE_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    change: ProductChange
    data_provider: _containers.RepeatedCompositeFieldContainer[ProductLocations]
    domain: str
    service_provider: _containers.RepeatedCompositeFieldContainer[ProductLocations]
    def __init__(self, service_provider: _Optional[_Iterable[_Union[ProductLocations, _Mapping]]] = ..., data_provider: _Optional[_Iterable[_Union[ProductLocations, _Mapping]]] = ..., change: _Optional[_Union[ProductChange, _Mapping]] = ..., domain: _Optional[str] = ...) -> None: ...
