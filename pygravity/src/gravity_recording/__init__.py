"""Recordings of Gravity's data products: MCAP files and the Archiver's archives.

The package imports nothing of `gravity`, so it also works beside the real one. A message is a serialized
GravityDataProductPB, which both give (`GravityDataProduct.serializeToString()`) and take
(`GravityDataProduct(data=...)`); all times are microseconds since the epoch.

    with RecordingWriter("run.mcap") as writer:       # types=pool, compression="none"|"lz4"|"zstd", overwrite=True
        writer.add(product.serializeToString())       # received=µs if the product does not say when it was received
        writer.check()                                # OSError if the disk is full; so do `add` and `close`

    with open_recording("run.mcap") as recording:     # or "archive.bin"
        recording.products["Temperature"].count       # also first, last (µs), types, components
        for message in recording.messages(ids={"Temperature"}, start=None, end=None):    # in order of writing
            message.received, message.product, message.id, message.type_name, message.component
            recording.decode(message)                 # a protobuf message, or None if its type is unknown
        if recording.damage:                          # RecordingError: file, offset, reason
            print(recording.damage)                   # messages() ended there, at the last whole message

Each message that is added is on the disk after a second at most. Files that are not recordings raise RecordingError,
a ValueError; OSError is that of the system.
"""

from .model import Compression, Product, Recorded, RecordingError
from .recording import Recording, open_recording
from .writer import RecordingWriter

__all__ = ["Compression", "Product", "Recorded", "Recording", "RecordingError", "RecordingWriter", "open_recording"]
