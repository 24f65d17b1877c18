"""What a client does about a server that has been restarted, and may have forgotten what it had acknowledged.

A server that comes back with an older copy of its data no longer knows what was posted since, and does not say so. So
what is held is told again, and every call without an outcome is posted again, with the same id and number and in order.
What the server had not forgotten, also of outcomes on their way, the actor's ledger tells from what is new.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from callboard._result import Queued, Sent
from callboard_broker.broker import WHO_ARE_YOU, server_id
from callboard_broker.wire import integer

if TYPE_CHECKING:
    from callboard._client import Client
    from callboard._outbound import Unacknowledged
    from callboard_broker.wire import Wire


class Recovery:
    """Tell a restarted server what it may have forgotten.

    Args:
        client: Whose calls and holdings.
        server: Which server it has joined.
    """

    def __init__(self, client: Client, server: str) -> None:
        self._client = client
        self._server = server

    def recall(self, wire: Wire) -> list[Unacknowledged]:
        """Return what is to be sent on a new connection before anything else: nothing, if the server is the same.

        The caller holds the lock of the way out.

        Raises:
            BrokerError: The connection broke again, or the server refuses to answer.
        """
        server = server_id(wire.call(*WHO_ARE_YOU))
        if server == self._server:
            return []
        client = self._client
        if not integer(wire.call("EXISTS", client.keys.inbox(client.id))):
            # The next heartbeat will find the same, and tell those who wait.
            return []
        found = client.holdings.again()
        for call, result in list(client.pending.items()):
            sent = result.sent
            if isinstance(sent, Sent):
                found += client.calls.again(call, sent)
            elif isinstance(sent, Queued) and sent.command:
                found += client.tasks.again(call, sent)
        self._server = server
        return found
