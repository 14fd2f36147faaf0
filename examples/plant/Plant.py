"""An existing Gravity application: a pump and its motor publish measurements, and an operator waits for alarms."""

import argparse
import contextlib
import math
import random
import time

from plant_pb2 import AlarmPB, MotorPB, PumpPB

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity


class Operator(GravitySubscriber):
    """Prints alarms."""

    def __init__(self):
        GravitySubscriber.__init__(self)

    def subscriptionFilled(self, dataProducts):
        """Take what has arrived."""
        for product in dataProducts:
            alarm = AlarmPB()
            product.populateMessage(alarm)
            print(f"{alarm.source}: {f'ALARM: {alarm.what}' if alarm.on else 'normal again'}", flush=True)


def main(rate, leak):
    """Run the plant; from sample `leak` on, a part of the flow gets lost."""
    node = GravityNode()
    while node.init("Plant") != gravity.SUCCESS:
        time.sleep(1)
    for name in ("Pump", "Motor"):
        node.registerDataProduct(name, gravity.TCP)
    operator = Operator()
    node.subscribe("PlantAlarm", operator)
    print(f"publishing Pump and Motor, {rate:g} times a second", flush=True)
    start, sample = time.monotonic(), 0
    while True:
        load = load_at(rate * (time.monotonic() - start))
        publish(node, "Pump", pump(load, leaks=leak is not None and sample >= leak))

        motor = MotorPB(rpm=round(1500 * load + random.gauss(0, 5)), measured=time.time_ns() // 1_000_000)
        motor.electrics.current = 2 + 9 * load**2 + random.gauss(0, 0.05)
        motor.electrics.voltage = 400
        publish(node, "Motor", motor)

        sample += 1
        time.sleep(1 / rate)


def load_at(sample):
    """Return the load of the plant, a part of 1."""
    return 0.6 + 0.25 * math.sin(0.07 * sample) + 0.1 * math.sin(0.023 * sample)


def pump(load, leaks):
    """Return what the pump measures."""
    flow = 40 * load + random.gauss(0, 0.2)
    pressure = 6 - 0.002 * flow**2 + random.gauss(0, 0.02)
    return PumpPB(pressure=pressure, flow=0.7 * flow if leaks else flow)


def publish(node, name, message):
    """Publish a message."""
    product = GravityDataProduct(name)
    product.data = message
    node.publish(product)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="Plant.py", description=__doc__)
    parser.add_argument("--rate", type=float, default=20, help="samples a second (default: %(default)s)")
    parser.add_argument("--leak", type=int, help="the first sample with a leak")
    given = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        main(given.rate, given.leak)
