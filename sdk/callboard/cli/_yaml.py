"""YAML for people to read. Imported where it is asked for only."""

from __future__ import annotations

from typing import Any

import yaml


# That of libyaml writes the same six times faster; not every build of PyYAML has it.
class _Readable(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # known when it runs
    """A dumper that writes texts of several lines, such as tracebacks, as such."""


def _represent(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Readable.add_representer(str, _represent)


def dumped(data: Any) -> str:
    """Return data as YAML; control characters are escaped."""
    text: str = yaml.dump(data, Dumper=_Readable, indent=4, explicit_start=True, sort_keys=False, width=120)
    return text
