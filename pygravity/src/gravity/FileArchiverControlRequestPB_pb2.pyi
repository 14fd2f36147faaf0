from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FileArchiverControlRequestPB(_message.Message):
    __slots__ = ["suspend"]
    SUSPEND_FIELD_NUMBER: _ClassVar[int]
    suspend: bool
    def __init__(self, suspend: bool = ...) -> None: ...
