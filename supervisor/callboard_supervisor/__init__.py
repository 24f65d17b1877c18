"""The node daemon: starts, watches, restarts and ends the processes that are actors."""
