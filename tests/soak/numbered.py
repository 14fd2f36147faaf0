"""Publishes numbered messages, or receives them and tells which did not come; prints what it has measured as JSON.

numbered.py publish COUNT RATE SIZE     RATE messages a second (0: as many as go) of SIZE bytes
numbered.py subscribe PAUSE STALL       sleeps PAUSE seconds in each callback, STALL seconds in the first
"""

import json
import logging
import sys
import threading
import time

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity
from gravity.log import library_log

ID = "Numbers"
ROOM = 1000  # messages: what the publisher's queue alone holds
MOST = 1 << 20
END = b"end"


class Reports(logging.Handler):
    """Adds up how often the library has reported a full queue."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.times = 0

    def emit(self, record):
        self.times += next((argument for argument in record.args if isinstance(argument, int)), 1)


class Receiver(GravitySubscriber):
    def __init__(self, pause, stall):
        self.pause, self.stall = pause, stall
        self.seen = bytearray(MOST)
        self.last = -1
        self.twice = self.out_of_order = 0
        self.ended = threading.Event()

    def subscriptionFilled(self, dataProducts):
        for product in dataProducts:
            if product.data == END:
                self.ended.set()
            else:
                number = int.from_bytes(product.data[:8], "little")
                self.twice += self.seen[number]
                self.out_of_order += number < self.last
                self.seen[number] = 1
                self.last = number
        time.sleep(self.stall or self.pause)
        self.stall = 0


def publish(node, count, rate, size):
    times = []
    product = GravityDataProduct(ID)
    node.registerDataProduct(ID, gravity.TCP)
    while not node.subscribersExist(ID)[1]:
        time.sleep(0.01)
    start = time.monotonic()
    for number in range(count):
        while rate and (pause := start + number / rate - time.monotonic()) > 0:
            time.sleep(pause)
        product.data = number.to_bytes(8, "little").ljust(size, b"x")
        begin = time.perf_counter()
        node.publish(product)
        times.append(time.perf_counter() - begin)
    seconds = time.monotonic() - start
    product.data = END
    while node.subscribersExist(ID)[1]:  # again and again, for it can be lost as well
        node.publish(product)
        time.sleep(0.1)
    first = sorted(times[:ROOM])
    times.sort()
    return {
        "sent": count, "rate": count / seconds, "longest": times[-1], "p99": times[int(len(times) * 0.99)],
        "p99_with_room": first[int(len(first) * 0.99)],
    }  # fmt: skip


def subscribe(node, pause, stall):
    receiver = Receiver(pause, stall)
    node.subscribe(ID, receiver)
    receiver.ended.wait()
    return {"received": sum(receiver.seen), "twice": receiver.twice, "out_of_order": receiver.out_of_order}


if __name__ == "__main__":
    role, *numbers = sys.argv[1:]
    reports = Reports()
    library_log.addHandler(reports)
    with GravityNode(role) as node:
        found = publish(node, *map(int, numbers)) if role == "publish" else subscribe(node, *map(float, numbers))
    print(json.dumps(found | {"reports": reports.times}))
