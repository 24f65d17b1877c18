"""The only code that knows Redis: keys, scripts, envelopes, records, connections.

The embedded server is in `callboard_broker.embedded`, which only those import who start one.
"""

from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.errors import RayError
from callboard_broker.keys import Keyspace
from callboard_broker.timing import Timing
from callboard_broker.wire import Wire

__all__ = ["Broker", "ClusterKey", "Keyspace", "RayError", "Timing", "Wire"]
