"""Background duties of the node daemon."""
