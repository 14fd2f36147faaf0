"""GravityDataProduct: a message as applications see it."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from .GravityDataProductPB_pb2 import GravityDataProductPB
from .protocol.envelope import MalformedFrame, copy_of, decode_data_product, encode, fill

_new = object.__new__


class GravityDataProduct:
    """A message: an id, a payload of bytes, and the metadata added by its publisher.

    Give either `dataProductID`, for a new and empty message, or `data`, a serialized GravityDataProductPB. Raises
    AttributeError if neither or both are given, or if `data` cannot be parsed.
    """

    def __init__(self, dataProductID: str | None = None, data: bytes | None = None) -> None:
        if (dataProductID is None) == (data is None):
            raise AttributeError("give exactly one of dataProductID and data")
        self._pb = GravityDataProductPB()
        if data is not None:
            self.parseFromString(data)
        else:
            self._pb.dataProductID = str(dataProductID)

    @classmethod
    def _wrap(cls, pb: GravityDataProductPB) -> GravityDataProduct:
        product = cls.__new__(cls)
        product._pb = pb
        return product

    @property
    def data(self) -> bytes:
        """The payload: bytes when read; bytes or a protobuf message when set."""
        return self._pb.data

    @data.setter
    def data(self, data: bytes | Message) -> None:
        # protobuf frees old field values only together with the message; refilling one message would leak memory.
        pb = copy_of(self._pb) if self._pb.data else self._pb
        if isinstance(data, (bytes, bytearray, str)):  # a tuple is faster than a union
            pb.data = data  # protobuf itself raises TypeError for a str
        elif isinstance(data, Message):
            fill(pb, data)
        else:
            raise AttributeError(f"data must be bytes or a protobuf message, not {type(data).__name__}")
        self._pb = pb

    def populateMessage(self, data: Message) -> None:
        """Merge the payload into the protobuf message `data`; raise AttributeError if it cannot be parsed."""
        try:
            data.MergeFromString(self._pb.data)
        except DecodeError as error:
            raise AttributeError(f"the payload is not a {data.DESCRIPTOR.full_name}: {error}") from None

    def getDataSize(self) -> int:
        """Return the payload's size in bytes."""
        return len(self._pb.data)

    def getSize(self) -> int:
        """Return the serialized data product's size in bytes."""
        return self._pb.ByteSize()

    def serializeToString(self) -> bytes:
        """Return the serialized data product."""
        return encode(self._pb)

    def parseFromString(self, data: bytes) -> None:
        """Merge a serialized data product into this one; raise AttributeError if it cannot be parsed."""
        try:
            decode_data_product(data)  # first, so that invalid data leaves this product unchanged
            merged = copy_of(self._pb)  # as in `data`
            merged.MergeFromString(data)
            self._pb = merged
        except (MalformedFrame, TypeError) as error:
            raise AttributeError(f"not a serialized GravityDataProductPB: {error}") from None

    @property
    def timestamp(self) -> int:
        """Time of publication in microseconds since the epoch; 0 if not published."""
        return self._pb.timestamp

    @timestamp.setter
    def timestamp(self, timestamp: int) -> None:
        self._pb.timestamp = timestamp

    @property
    def receivedTimestamp(self) -> int:
        """Time of receipt in microseconds since the epoch; 0 if not received."""
        return self._pb.received_timestamp

    @property
    def dataProductID(self) -> str:
        """The data product's id."""
        return self._pb.dataProductID

    @property
    def softwareVersion(self) -> str:
        """The application's version, if it sets one."""
        return self._pb.softwareVersion

    @softwareVersion.setter
    def softwareVersion(self, softwareVersion: str) -> None:
        self._pb.softwareVersion = softwareVersion

    @property
    def componentID(self) -> str:
        """The node that published it."""
        return self._pb.componentID

    @componentID.setter
    def componentID(self, componentID: str) -> None:
        self._pb.componentID = componentID

    @property
    def domain(self) -> str:
        """The domain of the node that published it."""
        return self._pb.domain

    @domain.setter
    def domain(self, domain: str) -> None:
        self._pb.domain = domain

    @property
    def isCachedDataproduct(self) -> bool:
        """Whether this is a publisher's cached last message, sent to a new subscriber."""
        return self._pb.is_cached_dataproduct

    @isCachedDataproduct.setter
    def isCachedDataproduct(self, isCachedDataproduct: bool) -> None:
        self._pb.is_cached_dataproduct = isCachedDataproduct

    @property
    def isRelayedDataproduct(self) -> bool:
        """Whether this is passed on by a relay, with the original time, component and domain."""
        return self._pb.is_relayed_dataproduct

    @isRelayedDataproduct.setter
    def isRelayedDataproduct(self, isRelayedDataproduct: bool) -> None:
        self._pb.is_relayed_dataproduct = isRelayedDataproduct

    @property
    def protocol(self) -> str:
        """The payload's encoding: "protobuf2" if it was set from a protobuf message."""
        return self._pb.protocol

    @protocol.setter
    def protocol(self, protocol: str) -> None:
        self._pb.protocol = protocol

    @property
    def typeName(self) -> str:
        """The payload's full message type name, if it was set from a protobuf message."""
        return self._pb.type_name

    @typeName.setter
    def typeName(self, typeName: str) -> None:
        self._pb.type_name = typeName

    @property
    def isFutureResponse(self) -> bool:
        """Whether this response only gives the address of the actual one."""
        return self._pb.future_response

    @property
    def futureSocketUrl(self) -> str:
        """The address of the actual response."""
        return self._pb.future_socket_url


def wrapped(envelopes: list[GravityDataProductPB]) -> list[GravityDataProduct]:
    """Wrap received envelopes without copying them."""
    products = []
    for envelope in envelopes:  # as _wrap, without the cost of a call
        product = _new(GravityDataProduct)
        product._pb = envelope
        products.append(product)
    return products


def envelope_of(product: GravityDataProduct) -> GravityDataProductPB:
    """Return a copy of a data product's envelope; `product` may be any object with serializeToString().

    Raises MalformedFrame if serializeToString() does not return a data product.
    """
    if type(product) is not GravityDataProduct:
        return decode_data_product(product.serializeToString())
    return copy_of(product._pb)
