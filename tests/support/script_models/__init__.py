"""What each script means, as functions over Python's own dicts, sets and lists.

A model takes what it needs of its script's keys and arguments, by their names in the script: a name that is a keyword
or a builtin has an underscore behind it, and one that ends in dots stands for a list. It changes what lies under the
keys as the script should, and returns what that should answer, or raises `RefusedError`.

Left out is what scripts do about keys of another type than they should have, and that long streams are cut somewhere
behind their bound.
"""

from collections.abc import Callable, Mapping

from tests.support.script_models import actors, calls, clients, letters, tasks
from tests.support.script_models.things import Answer

__all__ = ["MODELS"]

#: Models by the names of their scripts.
MODELS: Mapping[str, Callable[..., Answer]] = {
    name.removesuffix("_"): getattr(group, name)
    for group in (actors, calls, clients, letters, tasks)
    for name in group.__all__
}
