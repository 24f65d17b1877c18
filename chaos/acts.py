"""The acts of a chaos run: which faults strike together, in which setting, and what the history is held to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from chaos.checker import Rules
from chaos.clocks import none_can_be_set
from chaos.host import none_can_be_had
from chaos.nemesis import accidents, clocks, network, parties, server, visitors, workers
from chaos.theatre import Setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos.nemesis.fault import Fault

__all__ = ["ACTS", "Act"]

#: Seconds in which a call must have its outcome when nothing happens: heartbeat timeouts, backoffs of restarts, and a
#: machine that others use, too.
_BOUND: Final = 15.0
#: Seconds after which a peer counts as lost that says nothing.
_SILENCE: Final = 30.0
#: Seconds between deaths of the server, so that everybody has come back from one before the next.
_APART: Final = (1.0, 2.0)
#: After an outage of 5 s: one per minute, or one in a storm that is shorter.
_REST_OF_A_MINUTE: Final = (55.0, 55.0)
#: Nothing that strikes ends a process, so nothing may be restarted; and a full server refuses calls, in so many words.
_STEADY: Final = Rules(_BOUND, restarts=False)
_REFUSING: Final = Rules(_BOUND, frozenset({"BrokerRefusedError"}), restarts=False)
#: What an operator has deleted is gone, and whoever needs it is told so, as is whoever meets what was put there.
_DESTROYED: Final = Rules(
    _BOUND,
    frozenset({"ActorDiedError", "ActorUnavailableError", "BrokerRefusedError", "ClientGoneError"}),
    loses=True,
)


@dataclass(frozen=True)
class Act:
    """Some faults that strike one theatre.

    Attributes:
        name: What it is called.
        faults: They strike in turn, in an order that chance decides.
        setting: What the theatre is like.
        rules: What the history is held to.
        pause: Seconds between two strikes, at least and at most.
        least: How often something must have been hit, in all, per fault.
        hindrance: Tells why it cannot be played on this machine; nothing when it can.
    """

    name: str
    faults: tuple[Fault, ...]
    setting: Setting = field(default_factory=Setting)
    rules: Rules = field(default_factory=lambda: Rules(_BOUND))
    pause: tuple[float, float] = (0.05, 0.5)
    least: int = 1
    hindrance: Callable[[], str] = str


ACTS: Final = (
    Act("workers", workers.KILLED),
    Act("zombies", workers.STOPPED, rules=_STEADY),
    Act("supervisors", parties.SUPERVISORS),
    Act("adoption", parties.TAKEN_OVER, Setting(heartbeat_timeout=5.0), _STEADY),
    Act("forsaken", parties.FORSAKEN),
    Act("callers", parties.CALLERS),
    Act("nodes", parties.NODE_FROZEN, Setting(nodes=2)),
    Act("partition", parties.NODE_CUT_OFF, Setting(nodes=2, proxied=True)),
    Act("hosts", (*parties.HOST_CUT_OFF, *network.UNPLUGGED), Setting(nodes=2, apart=True), hindrance=none_can_be_had),
    Act("clocks", clocks.ASTRAY, Setting(clocks=True), _STEADY, hindrance=none_can_be_set),
    Act("visitors", visitors.VISITORS),
    Act("always", server.KILLED, Setting(fsync="always", heartbeat_timeout=5.0), _STEADY, pause=_APART),
    Act("everysec", server.KILLED, Setting(fsync="everysec", heartbeat_timeout=5.0), _STEADY, pause=_APART),
    Act("rollback", server.PUT_BACK, Setting(fsync="always"), Rules(_BOUND, forgets=True)),
    Act("connections", server.CUT, Setting(heartbeat_timeout=5.0), _STEADY),
    Act("scripts", server.FORGOTTEN, rules=_STEADY),
    Act("accidents", accidents.ACCIDENTS, rules=_DESTROYED),
    Act("memory", server.FULL_MEMORY, rules=_REFUSING),
    Act("disk", server.FULL_DISK, Setting(fsync="everysec"), _REFUSING),
    Act("network", network.LOSSES, Setting(proxied=True)),
    Act("silence", network.GONE_SILENT, Setting(proxied=True), Rules(_SILENCE + _BOUND)),
    Act("blackout", server.BLACKOUT, Setting(fsync="everysec", heartbeat_timeout=15.0), _STEADY, _REST_OF_A_MINUTE),
    Act(
        "everything",
        (*workers.KILLED, *workers.STOPPED, *parties.SUPERVISORS, *parties.CALLERS, *server.KILLED, *server.CUT,
         *server.FORGOTTEN),
        Setting(fsync="always"),
    ),
)  # fmt: skip
