"""Show what came of a chaos run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from chaos.play import Review
    from rich.console import Console

__all__ = ["show", "show_breaches"]

#: Breaches of an act that are shown; all are to be found by the history.
_SHOWN: Final = 10


def show(reviews: Sequence[Review], console: Console) -> None:
    """Print a table of figures, a line per act, and how often each fault struck."""
    table = Table("act", title="chaos", title_justify="left")
    names = list(reviews[0].figures) if reviews else []
    for name in ("strikes", *names):
        table.add_column(name, justify="right")
    table.add_column("breaches", justify="right")
    for review in reviews:
        figures = [_number(review.figures.get(name, 0)) for name in names]
        table.add_row(review.act, str(review.struck.total()), *figures, str(len(review.breaches)))
    console.print(table)
    for review in reviews:
        struck = ", ".join(f"{name} {count}" for name, count in sorted(review.struck.items()))
        console.print(f"{review.act}: {struck}", highlight=False)


def show_breaches(review: Review, again: str, console: Console) -> None:
    """Print what was wrong with an act, where its history is, and how to play it again."""
    for breach in review.breaches[:_SHOWN]:
        console.print(f"  {breach}", highlight=False, markup=False)
    if len(review.breaches) > _SHOWN:
        console.print(f"  and {len(review.breaches) - _SHOWN} more")
    console.print(f"  history: {review.history}\n  again:   {again}", highlight=False, soft_wrap=True)


def _number(value: float) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else f"{value:,}"
