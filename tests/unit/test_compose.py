"""compose.yaml and Dockerfile: keys that the Compose specification knows, references that resolve, safe settings.

Only the part of the specification that the file may use is written down here. A key that is missing from these
tables can be added to them after a look at https://github.com/compose-spec/compose-spec/blob/main/schema.
"""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ["supervisor-1", "supervisor-2", "client"]
ADDRESS = "redis://redis:6379"

Known = dict[str, type | tuple[type, ...]]

TOP: Known = {"name": str, "services": dict, "networks": dict, "volumes": dict, "configs": dict, "secrets": dict}
SERVICE: Known = {
    "build": (str, dict),
    "command": (str, list),
    "depends_on": (list, dict),
    "entrypoint": (str, list),
    "environment": (list, dict),
    "healthcheck": dict,
    "image": str,
    "init": bool,
    "restart": str,
    "secrets": list,
    "shm_size": (int, str),
    "stop_grace_period": str,
    "user": str,
    "volumes": list,
    "working_dir": str,
}
HEALTHCHECK: Known = {
    "disable": bool,
    "interval": str,
    "retries": int,
    "start_period": str,
    "test": (str, list),
    "timeout": str,
}
DEPENDENCY: Known = {"condition": str, "required": bool, "restart": bool}
CONDITIONS = {"service_started", "service_healthy", "service_completed_successfully"}
MOUNTED_SECRET: Known = {"source": str, "target": str, "uid": str, "gid": str, "mode": (int, str)}
SECRET: Known = {"environment": str, "external": bool, "file": str, "labels": (list, dict), "name": str}
VOLUME: Known = {"driver": str, "driver_opts": dict, "external": bool, "labels": (list, dict), "name": str}
DURATION = re.compile(r"(\d+(us|ms|s|m|h))+")
SIZE = re.compile(r"\d+(b|k|kb|m|mb|g|gb)")
NAME = re.compile(r"[a-zA-Z0-9._-]+")


def complaints(where: str, given: dict[str, Any] | None, known: Known) -> list[str]:
    """List the keys of a mapping that the specification does not know, and values of another type."""
    found = []
    for key, value in (given or {}).items():
        if key.startswith("x-"):
            continue
        if key not in known:
            found.append(f"{where}: unknown key {key}")
        elif not isinstance(value, known[key]):
            found.append(f"{where}.{key}: {value!r} is no {known[key]}")
    return found


def mapping(value: list[str] | dict[str, Any] | None) -> dict[str, Any]:
    """Read the two spellings of an environment."""
    return dict(word.split("=", 1) for word in value) if isinstance(value, list) else value or {}


def test_all_keys_are_known_to_the_specification() -> None:
    """Compose refuses a file with a key that it does not know."""
    found = complaints("compose.yaml", COMPOSE, TOP)
    for name, service in SERVICES.items():
        found += complaints(name, service, SERVICE)
        found += complaints(f"{name}.healthcheck", service.get("healthcheck"), HEALTHCHECK)
        for other, condition in service.get("depends_on", {}).items():
            found += complaints(f"{name}.depends_on.{other}", condition, DEPENDENCY)
        for secret in service.get("secrets", []):
            found += complaints(f"{name}.secrets", secret, MOUNTED_SECRET)
    for kind, known in (("secrets", SECRET), ("volumes", VOLUME)):
        for name, definition in COMPOSE[kind].items():
            found += complaints(f"{kind}.{name}", definition, known)
    assert found == []


def test_values_have_the_specified_form() -> None:
    """Names, durations, sizes and conditions are spelled as Compose reads them."""
    names = [*SERVICES, *COMPOSE["secrets"], *COMPOSE["volumes"]]
    assert [name for name in names if not NAME.fullmatch(name)] == []
    for service in SERVICES.values():
        health = service.get("healthcheck", {})
        durations = [health[key] for key in ("interval", "timeout", "start_period") if key in health]
        durations += [service["stop_grace_period"]] if "stop_grace_period" in service else []
        assert [text for text in durations if not DURATION.fullmatch(text)] == []
        assert SIZE.fullmatch(str(service.get("shm_size", "1m")))
        assert {each["condition"] for each in service.get("depends_on", {}).values()} <= CONDITIONS
        assert health.get("test", ["CMD"])[0] in {"CMD", "CMD-SHELL", "NONE"}
        assert service.get("restart", "no") in {"no", "always", "on-failure", "unless-stopped"}
        words = [*service["command"], *mapping(service.get("environment")).values()]
        assert all(isinstance(word, str) for word in words)


def test_references_resolve() -> None:
    """Services, secrets and volumes that are referred to exist, and what is waited to be healthy has a check."""
    for service in SERVICES.values():
        dependencies = service.get("depends_on", {})
        assert set(dependencies) <= set(SERVICES)
        for other, condition in dependencies.items():
            assert condition["condition"] != "service_healthy" or "healthcheck" in SERVICES[other]
        assert {secret["source"] for secret in service.get("secrets", [])} <= set(COMPOSE["secrets"])
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= set(COMPOSE["volumes"])
        assert "image" in service or "build" in service


def test_redis_keeps_what_it_accepts() -> None:
    """Redis logs every write to a volume and never evicts."""
    redis = SERVICES["redis"]
    command = " ".join(redis["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert redis["volumes"] == ["redis-data:/data"]
    assert redis["image"] == "redis:7.4"
    assert "ports" not in redis


@pytest.mark.parametrize("name", OURS)
def test_our_services_get_the_key_as_a_secret(name: str) -> None:
    """The key comes as a file that only its owner may read, never as a variable, and is in no image."""
    service = SERVICES[name]
    (secret,) = service["secrets"]
    assert mapping(service["environment"])["CALLBOARD_KEY_FILE"] == secret["target"] == "/run/secrets/cluster_key"
    assert secret["mode"] == 0o400
    assert "CALLBOARD_KEY" not in mapping(service["environment"])
    assert COMPOSE["secrets"][secret["source"]] == {"file": "./cluster.key"}
    assert "cluster.key" not in (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", OURS)
def test_our_services_reap_their_children(name: str) -> None:
    """Workers of a supervisor that died are re-parented to pid 1, which must reap them."""
    assert SERVICES[name]["init"] is True


def test_the_services_do_what_they_are_named_for() -> None:
    """Two supervisors and one client share one Redis."""
    assert set(SERVICES) == {"redis", *OURS}
    for name in ("supervisor-1", "supervisor-2"):
        assert SERVICES[name]["command"] == ["callboard", "supervisor", "--address", ADDRESS]
    assert SERVICES["client"]["command"] == ["python", "examples/first_program.py"]
    assert mapping(SERVICES["client"]["environment"])["CALLBOARD_ADDRESS"] == ADDRESS
    assert (ROOT / SERVICES["client"]["command"][1]).is_file()


def test_the_image_has_what_it_needs_and_is_not_root() -> None:
    """What the Dockerfile copies exists, and the last word on the user is not root."""
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {"broker", "sdk", "supervisor", "examples", "pyproject.toml"} <= set(copied)
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER callboard"
