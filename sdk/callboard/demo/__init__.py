"""``callboard demo``: programs index the standard library together while the processes of their actors are killed."""

__all__ = ["main"]


def main() -> int:
    """Run the demo.

    Returns:
        The exit code: 0 when the index is right although enough workers were killed.
    """
    # Its helper programs are modules of this package, too, and need none of what the driver imports.
    from callboard.demo.driver import run  # noqa: PLC0415

    return run()
