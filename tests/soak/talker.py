"""Publishes 200 messages a second: the cluster's name, this run of the program, a number.

talker.py ID CLUSTER
"""

import itertools
import os
import sys
import time

from gravity import GravityDataProduct, GravityNode, gravity

id, cluster = sys.argv[1:]
node = GravityNode()
while node.init("Talker") != gravity.SUCCESS:
    pass
while node.registerDataProduct(id, gravity.TCP) != gravity.SUCCESS:
    time.sleep(0.1)
for number in itertools.count():
    product = GravityDataProduct(id)
    product.data = f"{cluster} {os.getpid()} {number}".encode()
    node.publish(product)
    time.sleep(0.005)
