"""Which data products carry the streams, and what points their messages hold, as Gravity.ini says."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

from node.settings import INI, Settings

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from streams.message_fields import UNITS, Misfit, message_types, number, time
from streams.points import TIME_END, BadPoint, Point, decode, is_name

from gravity import GravityDataProduct

OFF = "off"
LARGEST = float.fromhex("0x1.fffffep127")  # of float32, in which windows are kept
ENTRY = re.compile(
    r"(?P<product>[^:;()@]+?) *(\( *(?P<type>[\w.]+) *\))? *: *(?P<fields>[\w.]+( *, *[\w.]+)*) *"
    r"(@ *(?P<time>[\w.]+)( +(?P<unit>\w+))?)?"
)


class BadSetting(ValueError):
    """The text that names the streams cannot be used; the message begins with a verb."""


class PointDecoder:
    """Decodes DataPointPB messages on one data product; their streams are not known before."""

    streams: tuple[str, ...] = ()

    def __init__(self, channel: str) -> None:
        self.products = (channel,)

    def points(self, product: GravityDataProduct) -> Iterable[Point]:
        """Return the point in a message; raise BadPoint if there is none."""
        return (decode(product.data, product.typeName),)


class MessageDecoder:
    """Decodes messages of any type, on any number of data products: each is a sample of the streams in its fields.

    `products`: the data products to subscribe to. `streams`: the names of the streams, in alphabetical order.
    """

    def __init__(self, text: str, types: Mapping[str, Descriptor]) -> None:
        """`text`: data products and their fields, `PRODUCT [(TYPE)]: FIELD[, FIELD...] [@ FIELD [UNIT]]; ...`.

        The stream of field `flow` on Pump is called `Pump.flow`. The field behind @ holds the time; without it, that
        of the publication counts. TYPE is needed only if a publisher does not name the type of its messages. See
        `message_fields` for what a field may be. `types`: those that there are, by full name. Raises BadSetting.
        """
        entries = [_parse(entry) for entry in text.split(";") if entry.strip()]
        self.products = tuple(entry.product for entry in entries)
        self.streams = tuple(sorted(f"{entry.product}.{field}" for entry in entries for field in entry.fields))
        for names in (self.products, self.streams):
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise BadSetting(f"names {twice} twice")
        if bad := next((stream for stream in self.streams if not is_name(stream)), None):
            raise BadSetting(f"makes a name of a stream that is too long, {bad}")
        if len(self.streams) < 2:
            raise BadSetting("names fewer than two streams")
        self._entries = {entry.product: entry for entry in entries}
        self._layouts: dict[tuple[str, str], _Layout] = {}
        for entry in entries:
            self._layouts |= _layouts(entry, types)

    def points(self, product: GravityDataProduct) -> Iterator[Point]:
        """Yield the points in a message, and then raise BadPoint if anything in it cannot be used.

        A missing field is a missing value, without a word.
        """
        entry = self._entries.get(product.dataProductID)
        if entry is None:
            raise BadPoint(f"ignored a message of another data product, {product.dataProductID}")
        type_name = product.typeName or entry.type
        layout = self._layouts.get((entry.product, type_name))
        if layout is None:
            raise BadPoint(_no_layout(entry, type_name))
        try:
            message = layout.message.FromString(product.data)
        except (DecodeError, UnicodeDecodeError):
            raise BadPoint(f"ignored a message on {entry.product} that is not a {type_name}") from None
        timestamp = layout.time(message) if layout.time else product.timestamp
        if timestamp is None:
            raise BadPoint(f"ignored a message on {entry.product} without its time {entry.time}")
        if not 0 <= timestamp < TIME_END:
            raise BadPoint(f"ignored a message on {entry.product} whose time is implausible; check its unit")
        bad = []
        for stream, get in layout.numbers:
            value = get(message)
            if value is None:
                continue
            if -LARGEST <= value <= LARGEST:
                yield Point(stream, timestamp, float(value))
            else:
                bad.append(stream)
        if bad:
            raise BadPoint(f"ignored a value of stream {', '.join(bad)}: not finite, or too large for float32")


Decoder = PointDecoder | MessageDecoder


def configured(settings: Settings) -> Decoder:
    """Return the decoder for the messages that Gravity.ini names; raise UserError if it cannot be used."""
    text = settings.text("streams")
    if text == OFF:
        return PointDecoder(settings.text("subscription_name"))
    modules = settings.text("message_types")
    if modules == OFF:
        settings.refuse("message_types", "streams needs the generated module of its messages here, such as plant_pb2")
    try:
        types = message_types(_imported(name.strip()) for name in modules.split(","))
    except ImportError as error:
        settings.refuse("message_types", str(error))
    try:
        return MessageDecoder(text, types)
    except BadSetting as error:
        settings.refuse("streams", f"{text!r} {error}")


class _Entry(NamedTuple):
    """A data product and its fields; "" for a type that each message says, no field of the time, or no unit."""

    product: str
    type: str
    fields: tuple[str, ...]
    time: str
    unit: str


class _Layout(NamedTuple):
    """How to read a type of message: the number of each stream, and the time, if that is in a field."""

    message: type[Message]
    numbers: list[tuple[str, Callable[[Message], float | None]]]
    time: Callable[[Message], int | None] | None


def _parse(text: str) -> _Entry:
    match = ENTRY.fullmatch(text.strip())
    if not match:
        raise BadSetting(f"holds {text.strip()!r}, but it must be a list such as Pump: pressure, flow; Motor: rpm")
    if match["unit"] and match["unit"] not in UNITS:
        raise BadSetting(f"gives the unit {match['unit']}, but there are only {', '.join(UNITS)}")
    fields = tuple(field.strip() for field in match["fields"].split(","))
    return _Entry(match["product"], match["type"] or "", fields, match["time"] or "", match["unit"] or "")


def _layouts(entry: _Entry, types: Mapping[str, Descriptor]) -> dict[tuple[str, str], _Layout]:
    """Return the layout of each type of message that fits an entry, by data product and type."""
    if entry.type and entry.type not in types:
        raise BadSetting(f"names the type {entry.type}, but message_types holds only {', '.join(sorted(types))}")
    layouts: dict[tuple[str, str], _Layout] = {}
    misfits: list[tuple[int, str]] = []  # with the number of fields that fit
    for name in [entry.type] if entry.type else types:
        numbers, at, wrong = [], None, []
        for field in entry.fields:
            try:
                numbers.append((f"{entry.product}.{field}", number(types[name], field)))
            except Misfit as misfit:
                wrong.append(str(misfit))
        try:
            at = time(types[name], entry.time, entry.unit) if entry.time else None
        except Misfit as misfit:
            wrong.append(str(misfit))
        if wrong:
            misfits.append((len(numbers), wrong[0]))
        else:
            layouts[entry.product, name] = _Layout(GetMessageClass(types[name]), numbers, at)
    if not layouts:
        most = max((fitting for fitting, _ in misfits), default=0)
        reasons = [reason for fitting, reason in misfits if fitting == most]
        if not most and len(reasons) != 1:
            reasons = [f"no type has {', '.join(entry.fields)}; message_types holds {', '.join(sorted(types))}"]
        raise BadSetting(f"does not fit the messages: {'; '.join(reasons)}")
    return layouts


def _no_layout(entry: _Entry, type_name: str) -> str:
    if not type_name:
        return (
            f"ignored a message without a type on {entry.product}; streams in Gravity.ini may name it in parentheses"
        )
    if entry.type:
        return f"ignored a message of type {type_name} on {entry.product}, not {entry.type}"
    return f"ignored a message of type {type_name} on {entry.product}: not in message_types, or without the fields"


def _imported(name: str) -> ModuleType:
    """Import a generated module, also from the folder of Gravity.ini; raise ImportError if that fails."""
    folder = str(Path(INI).resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        module = importlib.import_module(name)
        message_types([module])
    except Exception as error:  # anything, if it was made for another protobuf, or by hand
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ImportError(
            f"cannot use the module {name!r} ({reason}); it must be one that protoc has made, in {folder}"
        ) from None
    return module
