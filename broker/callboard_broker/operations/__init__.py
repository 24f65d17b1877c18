"""Operations on what lies in Redis: each a function that makes the command of one script. Nothing here does I/O."""

__all__: list[str] = []
