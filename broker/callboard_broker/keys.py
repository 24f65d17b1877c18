"""Every Redis key that callboard uses, one function each.

Keys are readable and hash-tagged. ``{b}`` is a bucket: everything that one script touches lies in one bucket, so the
same code serves a single server and a cluster. A single server (or Sentinel) has one bucket, called 0.

    cb:{0}:actor:<actor>                    HASH    the actor's record
    cb:{0}:actor:<actor>:creation           HASH    signed creation: class, arguments, options
    cb:{0}:actor:<actor>:mailbox            STREAM  outstanding calls
    cb:{0}:actor:<actor>:mailbox:sealed     STREAM  the same, once the actor is ending: nobody can add to it by accident
    cb:{0}:actor:<actor>:seen               HASH    dedup ledger: finished sequence numbers per caller
    cb:{0}:actor:<actor>:attempts           HASH    how often a call has been charged, and by which incarnation
    cb:{0}:actor:<actor>:carried            HASH    handles and objects that queued calls carry
    cb:{0}:actor:<actor>:rejected           STREAM  entries that failed verification, set aside (capped)
    cb:{0}:actor:<actor>:holders            HASH    who holds handles, and handles in flight
    cb:{0}:object:<object>                  HASH    a published object
    cb:{0}:object:<object>:holders          HASH    who holds references to it
    cb:{0}:object:<object>:waiters          SET     clients that wait for its value
    cb:{0}:client:<client>                  HASH    a client process: where it runs, its heartbeat counter
    cb:{0}:client:<client>:inbox            STREAM  outcomes for that client; exists while the client lives
    cb:{0}:client:<client>:holds            SET     what it owns, holds, lent and carries
    cb:{0}:name:<namespace>:<name>          STRING  actor id
    cb:{0}:client:<client>:control          STREAM  for one that runs tasks: what callers have to say about them
    cb:{0}:class:<sha>                      HASH    the definition of a class or a function, content-addressed
    cb:{0}:class:<sha>:users                SET     the clients, actors and tasks that need it
    cb:{0}:task:<task>                      HASH    an outstanding task: signed, and which worker runs it
    cb:{0}:pools                            HASH    queues of tasks, and the resources that each task of theirs takes
    cb:{0}:actors                           SET     actors that are not DEAD
    cb:{0}:dead                             ZSET    actors that are, by time of death; bounded
    cb:{0}:clients                          SET     clients that are registered
    cb:{0}:job:<job>:output                 CHANNEL what the actors of a job write, in signed batches; kept nowhere
    cb:{0}:outbox                           STREAM  tokens on their way to be released
    cb:{0}:requests                         STREAM  what any supervisor may do: place, look at, bury
    cb:{0}:events                           STREAM  what happened (capped)
    cb:{meta}:cluster                       HASH    key id, format version, number of buckets
    cb:{meta}:nodes                         SET     nodes
    cb:{meta}:node:<node>                   HASH    a node: host, pid, room, heartbeat counter
    cb:{meta}:node:<node>:commands          STREAM  what a node is asked to do

Tasks are jobs of RQ. These keys have RQ's names and forms, and no bucket, as RQ knows none:

    rq:job:<task>                           HASH    what RQ's tools show of a task; goes by itself when that has ended
    rq:queue:<queue>                        LIST    tasks that wait
    rq:queue:<queue>:intermediate           LIST    tasks on their way to a worker
    rq:wip:<queue>                          ZSET    tasks that run
    rq:finished:<queue>, rq:failed:<queue>  ZSET    the latest that ended; bounded, and going by themselves
    rq:queues                               SET     queues
    rq:workers, rq:workers:<queue>          SET     workers
    rq:worker:<client>                      HASH    a worker
"""

from __future__ import annotations

from dataclasses import dataclass

#: The only bucket of a single server.
_BUCKET = "0"
#: First part of RQ's keys. Workers have no RQ_KEY_PREFIX in their environment that would say otherwise.
_RQ = "rq"


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Make the keys of one callboard.

    Args:
        prefix: First part of each key; several callboards with different prefixes share one Redis.
    """

    prefix: str = "cb"

    def _in_bucket(self, *parts: str) -> bytes:
        return ":".join((self.prefix, "{" + _BUCKET + "}", *parts)).encode()

    def _meta(self, *parts: str) -> bytes:
        return ":".join((self.prefix, "{meta}", *parts)).encode()

    def actor(self, actor: str) -> bytes:
        """HASH: the record of an actor."""
        return self._in_bucket("actor", actor)

    def creation(self, actor: str) -> bytes:
        """HASH: the signed creation of an actor."""
        return self._in_bucket("actor", actor, "creation")

    def mailbox(self, actor: str) -> bytes:
        """STREAM: the outstanding calls of an actor."""
        return self._in_bucket("actor", actor, "mailbox")

    def sealed(self, actor: str) -> bytes:
        """STREAM: the outstanding calls of an actor that is ending."""
        return self._in_bucket("actor", actor, "mailbox", "sealed")

    def seen(self, actor: str) -> bytes:
        """HASH: finished sequence numbers of an actor, per caller."""
        return self._in_bucket("actor", actor, "seen")

    def attempts(self, actor: str) -> bytes:
        """HASH: charges per call of an actor."""
        return self._in_bucket("actor", actor, "attempts")

    def carried(self, actor: str) -> bytes:
        """HASH: what the queued calls of an actor carry."""
        return self._in_bucket("actor", actor, "carried")

    def control(self, actor: str) -> bytes:
        """STREAM: what callers have to say about calls that an actor's worker may have in hand."""
        return self._in_bucket("actor", actor, "control")

    def rejected(self, actor: str) -> bytes:
        """STREAM: entries of an actor's mailbox that failed verification."""
        return self._in_bucket("actor", actor, "rejected")

    def holders(self, actor: str) -> bytes:
        """HASH: who holds handles to an actor."""
        return self._in_bucket("actor", actor, "holders")

    def object(self, ref: str) -> bytes:
        """HASH: a published object."""
        return self._in_bucket("object", ref)

    def object_holders(self, ref: str) -> bytes:
        """HASH: who holds references to an object."""
        return self._in_bucket("object", ref, "holders")

    def object_waiters(self, ref: str) -> bytes:
        """SET: clients that wait for an object's value."""
        return self._in_bucket("object", ref, "waiters")

    def client(self, client: str) -> bytes:
        """HASH: the record of a client."""
        return self._in_bucket("client", client)

    def inbox(self, client: str) -> bytes:
        """STREAM: outcomes for a client."""
        return self._in_bucket("client", client, "inbox")

    def holds(self, client: str) -> bytes:
        """SET: what a client owns, holds, lent and carries."""
        return self._in_bucket("client", client, "holds")

    def client_control(self, client: str) -> bytes:
        """STREAM: what callers have to say about the task that a client runs."""
        return self._in_bucket("client", client, "control")

    def name(self, namespace: str, name: str) -> bytes:
        """STRING: the actor that bears a name."""
        return self._in_bucket("name", namespace, name)

    def definition(self, sha: str) -> bytes:
        """HASH: the definition of a class or a function."""
        return self._in_bucket("class", sha)

    def definition_users(self, sha: str) -> bytes:
        """SET: who needs a definition."""
        return self._in_bucket("class", sha, "users")

    def task(self, task: str) -> bytes:
        """HASH: an outstanding task."""
        return self._in_bucket("task", task)

    @property
    def pools(self) -> bytes:
        """HASH: queues of tasks."""
        return self._in_bucket("pools")

    def rq_job(self, task: str) -> bytes:
        """HASH of RQ: a job."""
        return f"{_RQ}:job:{task}".encode()

    def rq_queue(self, queue: str) -> bytes:
        """LIST of RQ: jobs that wait."""
        return f"{_RQ}:queue:{queue}".encode()

    def rq_intermediate(self, queue: str) -> bytes:
        """LIST of RQ: jobs on their way to a worker."""
        return f"{_RQ}:queue:{queue}:intermediate".encode()

    def rq_running(self, queue: str) -> bytes:
        """ZSET of RQ: jobs that run."""
        return f"{_RQ}:wip:{queue}".encode()

    def rq_ended(self, queue: str, status: str) -> bytes:
        """ZSET of RQ: jobs that are ``finished`` or ``failed``."""
        return f"{_RQ}:{status}:{queue}".encode()

    @property
    def rq_queues(self) -> bytes:
        """SET of RQ: keys of queues."""
        return f"{_RQ}:queues".encode()

    @property
    def rq_workers(self) -> bytes:
        """SET of RQ: keys of workers."""
        return f"{_RQ}:workers".encode()

    def rq_workers_of(self, queue: str) -> bytes:
        """SET of RQ: keys of workers of a queue."""
        return f"{_RQ}:workers:{queue}".encode()

    def rq_worker(self, client: str) -> bytes:
        """HASH of RQ: a worker."""
        return f"{_RQ}:worker:{client}".encode()

    @property
    def actors(self) -> bytes:
        """SET: actors that are not DEAD."""
        return self._in_bucket("actors")

    @property
    def dead(self) -> bytes:
        """ZSET: DEAD actors by time of death."""
        return self._in_bucket("dead")

    @property
    def clients(self) -> bytes:
        """SET: registered clients."""
        return self._in_bucket("clients")

    def output(self, job: str) -> bytes:
        """CHANNEL: what the actors of a job write."""
        return self._in_bucket("job", job, "output")

    @property
    def outbox(self) -> bytes:
        """STREAM: tokens to be released."""
        return self._in_bucket("outbox")

    @property
    def letters(self) -> bytes:
        """STREAM: dead letters, calls that were set aside."""
        return self._in_bucket("letters")

    @property
    def requests(self) -> bytes:
        """STREAM: what whichever supervisor takes it is asked to do."""
        return self._in_bucket("requests")

    @property
    def events(self) -> bytes:
        """STREAM: what happened, capped."""
        return self._in_bucket("events")

    @property
    def cluster(self) -> bytes:
        """HASH: what all parties must agree on."""
        return self._meta("cluster")

    @property
    def nodes(self) -> bytes:
        """SET: nodes."""
        return self._meta("nodes")

    def node(self, node: str) -> bytes:
        """HASH: the record of a node."""
        return self._meta("node", node)

    def commands(self, node: str) -> bytes:
        """STREAM: what a node is asked to do."""
        return self._meta("node", node, "commands")

    def of_actor(self, actor: str) -> dict[bytes, str]:
        """Return the keys of an actor, and what Redis calls their types."""
        hashes = (self.actor, self.creation, self.seen, self.attempts, self.carried, self.holders)
        streams = (self.mailbox, self.sealed, self.control, self.rejected)
        return {key(actor): "hash" for key in hashes} | {key(actor): "stream" for key in streams}

    def of_client(self, client: str) -> dict[bytes, str]:
        """Return the keys of a client, and what Redis calls their types."""
        streams = {self.inbox(client): "stream", self.client_control(client): "stream"}
        return {self.client(client): "hash", self.holds(client): "set", **streams}

    def of_node(self, node: str) -> dict[bytes, str]:
        """Return the keys of a node, and what Redis calls their types."""
        return {self.node(node): "hash", self.commands(node): "stream"}

    def shared(self) -> dict[bytes, str]:
        """Return the keys that belong to nobody, and what Redis calls their types."""
        sets = dict.fromkeys((self.actors, self.clients, self.nodes), "set")
        streams = dict.fromkeys((self.outbox, self.letters, self.requests, self.events), "stream")
        return {self.pools: "hash", self.dead: "zset", **sets, **streams}


def queue_name(prefix: str, job: str, worker_class: str) -> str:
    """Return the name of a queue of tasks.

    Args:
        prefix: Of the callboard.
        job: The driver's job that they belong to.
        worker_class: What their workers have in common; empty for usual ones.
    """
    return "-".join([_queues_of(prefix), job, *([worker_class] if worker_class else [])])


def job_of_queue(prefix: str, queue: str) -> str:
    """Return the job to which the tasks of a queue belong, from the queue's name."""
    return queue.removeprefix(f"{_queues_of(prefix)}-").partition("-")[0]


def own_queue(prefix: str, key: str) -> str:
    """Return the name of a queue from RQ's key of it; nothing when it is not one of callboard's under a prefix."""
    start = f"{_RQ}:queue:"
    return key.removeprefix(start) if key.startswith(f"{start}{_queues_of(prefix)}-") else ""


def _queues_of(prefix: str) -> str:
    return "callboard" if prefix == "cb" else f"callboard-{prefix}"
