"""Ray's actor API on Redis: ``import callboard as ray``."""

from callboard import actor, exceptions, util
from callboard._actor_class import ActorClass
from callboard._api import get, get_actor, init, is_initialized, kill, put, shutdown, wait
from callboard._cancelling import cancel
from callboard._context import get_runtime_context
from callboard._method import method
from callboard._ref import ObjectRef
from callboard._remote import remote
from callboard._remote_function import RemoteFunction
from callboard._stream import ObjectRefGenerator
from callboard._typed import ActorHandle

__version__ = "0.1.0"

__all__ = [
    "ActorClass",
    "ActorHandle",
    "ObjectRef",
    "ObjectRefGenerator",
    "RemoteFunction",
    "__version__",
    "actor",
    "cancel",
    "exceptions",
    "get",
    "get_actor",
    "get_runtime_context",
    "init",
    "is_initialized",
    "kill",
    "method",
    "put",
    "remote",
    "shutdown",
    "util",
    "wait",
]
