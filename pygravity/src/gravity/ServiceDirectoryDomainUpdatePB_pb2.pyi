from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ServiceDirectoryDomainUpdatePB(_message.Message):
    __slots__ = ["known_domains", "type", "update_domain"]
    class UpdateType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = []
    ADD: ServiceDirectoryDomainUpdatePB.UpdateType
    KNOWN_DOMAINS_FIELD_NUMBER: _ClassVar[int]
    REMOVE: ServiceDirectoryDomainUpdatePB.UpdateType
    TYPE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_DOMAIN_FIELD_NUMBER: _ClassVar[int]
    known_domains: _containers.RepeatedScalarFieldContainer[str]
    type: ServiceDirectoryDomainUpdatePB.UpdateType
    update_domain: str
    def __init__(self, known_domains: _Optional[_Iterable[str]] = ..., type: _Optional[_Union[ServiceDirectoryDomainUpdatePB.UpdateType, str]] = ..., update_domain: _Optional[str] = ...) -> None: ...
