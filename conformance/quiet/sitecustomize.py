"""What Ray tells drivers about errors goes to standard error, not between the lines that programs print."""

import builtins
import functools
import sys
import threading

print_as_ever = builtins.print


@functools.wraps(print_as_ever)
def print_apart(*values, **how):
    """Print, to standard error if it is Ray's thread for errors that prints."""
    if threading.current_thread().name == "ray_listen_error_messages":
        how["file"] = sys.stderr
    print_as_ever(*values, **how)


builtins.print = print_apart
