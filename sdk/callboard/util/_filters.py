"""Filters: which of many states are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callboard.util._schemas import StateSchema

Filter = tuple[str, str, Any]

_OPERATORS: Final = ("=", "!=")
_KINDS: Final[dict[Any, type]] = {str: str, str | None: str, int: int, int | None: int, bool | None: bool}
_TRUTH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


class Filters:
    """Filters that must all match.

    Args:
        schema: What is filtered.
        wanted: Tuples of column, ``"="`` or ``"!="``, and value. Values are compared as what the column holds, so
            ``"7"`` equals 7 and ``"true"`` True; a column that is None equals None and the empty string. States are
            compared without regard to case.

    Raises:
        ValueError: A filter has another shape, an unknown column or operator, or a value that the column cannot hold.
    """

    def __init__(self, schema: type[StateSchema], wanted: Sequence[Filter] | None) -> None:
        hints = get_type_hints(schema)
        kinds = {column: _KINDS[hints[column]] for column in schema.columns() if hints[column] in _KINDS}
        self._tests = [_parse(one, kinds) for one in wanted or ()]
        #: The columns that are looked at.
        self.columns = {column for column, _, _ in self._tests}

    def match(self, state: StateSchema) -> bool:
        """Tell whether a state is asked for."""
        return all((_plain(state[column]) == value) is equal for column, equal, value in self._tests)


def _parse(wanted: Filter, kinds: dict[str, type]) -> tuple[str, bool, Any]:
    if not isinstance(wanted, tuple | list) or len(wanted) != 3:  # noqa: PLR2004 - as the text says
        raise ValueError(f"a filter is a tuple of column, '=' or '!=', and value, not {wanted!r}")
    column, operator, value = wanted
    if column not in kinds:
        raise ValueError(f"there is no column {column!r} to filter by; there are {', '.join(kinds)}")
    if operator not in _OPERATORS:
        raise ValueError(f"a filter's operator is '=' or '!=', not {operator!r}")
    return column, operator == "=", _convert(column, kinds[column], value)


def _convert(column: str, kind: type, value: Any) -> Any:
    if value is None or value == "":
        return ""
    if kind is str:
        return str(value).upper() if column == "state" else str(value)
    if kind is bool:
        truth = _TRUTH.get(str(value).lower())
        if truth is None:
            raise ValueError(f"{column} is true or false, so it cannot be compared with {value!r}")
        return truth
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"{column} is a number, so it cannot be compared with {value!r}") from None


def _plain(value: Any) -> Any:
    return "" if value is None else value
