"""A driver of its own that calls a named actor and tells what came back.

    python crowd.py ADDRESS NAMESPACE NAME CALLER NUMBER

It prints one line per call: the number that came back, or the name of the error.
"""

import sys

import callboard


def call_in_order(actor: object, caller: str, number: int) -> list[str]:
    """Make numbered calls in bursts and return what came back, in the order of the calls."""
    refs = [actor.record.remote(caller, index) for index in range(number)]  # type: ignore[attr-defined]
    found = []
    for ref in refs:
        try:
            found.append(str(callboard.get(ref, timeout=60)))
        except callboard.exceptions.RayActorError as error:
            found.append(type(error).__name__)
    return found


def main(address: str, namespace: str, name: str, caller: str, number: str) -> None:
    """Call the actor."""
    callboard.init(address, namespace=namespace)
    actor = callboard.get_actor(name)
    sys.stdout.write("\n".join(call_in_order(actor, caller, int(number))) + "\n")
    del actor
    callboard.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
