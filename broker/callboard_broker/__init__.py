"""The only code that knows Redis: keys, scripts, envelopes, records, connections, the embedded server."""

from callboard_broker.broker import Broker
from callboard_broker.clusterkey import ClusterKey
from callboard_broker.embedded import EmbeddedServer
from callboard_broker.errors import RayError
from callboard_broker.keys import Keyspace
from callboard_broker.timing import Timing
from callboard_broker.wire import Wire

__all__ = ["Broker", "ClusterKey", "EmbeddedServer", "Keyspace", "RayError", "Timing", "Wire"]
