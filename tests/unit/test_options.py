"""Options of actors and methods: what is taken, what is refused, and in which words."""

import contextlib
import pickle
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callboard import _options
from callboard._options import ActorOptions, MethodOptions

Kind = type[ActorOptions] | type[MethodOptions]

BAD_TYPES: list[tuple[Kind, str, object]] = [
    (ActorOptions, "num_cpus", "1"),
    (ActorOptions, "num_gpus", True),
    (ActorOptions, "memory", [1]),
    (ActorOptions, "resources", ["x"]),
    (ActorOptions, "resources", {"x": "1"}),
    (ActorOptions, "resources", {"x": None}),
    (ActorOptions, "resources", {5: 1}),
    (ActorOptions, "max_concurrency", 2.0),
    (ActorOptions, "max_concurrency", True),
    (ActorOptions, "max_pending_calls", "9"),
    (ActorOptions, "lifetime", 5),
    (ActorOptions, "get_if_exists", 1),
    (ActorOptions, "runtime_env", "env"),
    (ActorOptions, "runtime_env", {"env_vars": ["A"]}),
    (ActorOptions, "runtime_env", {"env_vars": {"A": 1}}),
    (ActorOptions, "runtime_env", {"env_vars": {1: "a"}}),
    (ActorOptions, "runtime_env", {"working_dir": 5}),
    (ActorOptions, "concurrency_groups", ["io"]),
    (ActorOptions, "concurrency_groups", {"io": 1.5}),
    (ActorOptions, "concurrency_groups", {"io": None}),
    (ActorOptions, "concurrency_groups", {"io": True}),
    (ActorOptions, "accelerator_type", 5),
    (ActorOptions, "placement_group_bundle_index", True),
    (MethodOptions, "num_returns", 1.0),
    (MethodOptions, "num_returns", True),
    (MethodOptions, "concurrency_group", 5),
    (MethodOptions, "name", 5),
    (MethodOptions, "enable_task_events", "no"),
    (MethodOptions, "_generator_backpressure_num_objects", "3"),
]
BAD_VALUES: list[tuple[Kind, str, object]] = [
    (ActorOptions, "num_cpus", -1),
    (ActorOptions, "num_cpus", float("nan")),
    (ActorOptions, "num_cpus", float("inf")),
    (ActorOptions, "num_cpus", 0.00001),
    (ActorOptions, "num_cpus", 10**30),
    (ActorOptions, "num_cpus", 10**400),
    (ActorOptions, "resources", {"x": -1}),
    (ActorOptions, "resources", {"": 1}),
    (ActorOptions, "resources", {"CPU": 1}),
    (ActorOptions, "resources", {"GPU": 1}),
    (ActorOptions, "resources", {"memory": 1}),
    (ActorOptions, "max_concurrency", 0),
    (ActorOptions, "max_concurrency", -1),
    (ActorOptions, "max_concurrency", 10**30),
    (ActorOptions, "max_pending_calls", -2),
    (ActorOptions, "runtime_env", {"pip": ["requests"]}),
    (ActorOptions, "runtime_env", {"env_vars": {"A=B": "c"}}),
    (ActorOptions, "runtime_env", {"env_vars": {"A": "\0"}}),
    (ActorOptions, "runtime_env", {"working_dir": "/nowhere/at/all"}),
    (ActorOptions, "runtime_env", {"working_dir": "https://example.com/a.zip"}),
    (ActorOptions, "concurrency_groups", {"io": 0}),
    (ActorOptions, "concurrency_groups", {"": 1}),
    (MethodOptions, "num_returns", -1),
    (MethodOptions, "num_returns", "many"),
    (MethodOptions, "num_returns", 10**30),
    (MethodOptions, "concurrency_group", ""),
    (MethodOptions, "name", ""),
    (MethodOptions, "_generator_backpressure_num_objects", 0),
]
BAD_COUNTS = [
    (-2, ValueError),
    (10**30, ValueError),
    pytest.param(10**5000, ValueError, id="of 5000 digits"),
    ("3", TypeError),
    (1.0, TypeError),
    (True, TypeError),
]
COUNTS: list[tuple[Kind, str]] = [
    (ActorOptions, "max_restarts"),
    (ActorOptions, "max_task_retries"),
    (MethodOptions, "max_task_retries"),
]


def label(value: object) -> str | None:
    """Name a case."""
    return value.__name__ if isinstance(value, type) else str(value)[:30]


def refused(kind: Kind, given: Mapping[str, object], error: type[Exception]) -> str:
    """Return the text with which options are refused, by a decorator and by ``.options()`` alike."""
    with pytest.raises(error) as parsing:
        kind.parse(given)
    with pytest.raises(error) as overriding:
        kind.parse({}).override(given)
    assert type(parsing.value) is type(overriding.value) is error
    assert str(parsing.value) == str(overriding.value)
    return str(parsing.value)


def test_a2_options_are_kept() -> None:
    """What is given is what is kept, and the rest has defaults."""
    given = {
        "num_cpus": 0.5,
        "num_gpus": 1.0,
        "memory": 1024.0,
        "resources": {"disk": 2.0},
        "max_restarts": 3,
        "max_task_retries": -1,
        "max_concurrency": 4,
        "max_pending_calls": 100,
        "max_deliveries": 5,
        "name": "c1",
        "namespace": "main",
        "lifetime": "detached",
        "get_if_exists": True,
        "runtime_env": {"env_vars": {"A": "b"}},
        "concurrency_groups": {"io": 2},
    }
    options = ActorOptions.parse(given)
    assert asdict(options) == given
    assert options.detached
    assert pickle.loads(pickle.dumps(options)) == options


def test_a2_defaults() -> None:
    """Without options an actor is serial, dies with its owner, and is neither restarted nor limited."""
    options = ActorOptions.parse({})
    assert options == ActorOptions()
    assert (options.max_restarts, options.max_task_retries, options.max_pending_calls) == (0, 0, -1)
    assert (options.max_concurrency, options.name, options.detached) == (None, None, False)


@pytest.mark.parametrize("kind", [ActorOptions, MethodOptions])
def test_a2_none_means_the_default(kind: Kind) -> None:
    """Every option takes None, also one that Ray has and callboard ignores, and then is what it is without."""
    every = dict.fromkeys([*(item.name for item in fields(kind)), *kind._ignored])
    assert kind.parse(every) == kind()
    assert kind.parse({"max_task_retries": 5}).override({"max_task_retries": None}) == kind()


@pytest.mark.parametrize("kind", [ActorOptions, MethodOptions])
def test_a2_every_option_is_checked(kind: Kind) -> None:
    """No field is kept as it comes."""
    assert kind._checks.keys() == {item.name for item in fields(kind)}
    assert kind._ignored <= _options._NO_EFFECT.keys()


@pytest.mark.parametrize(("kind", "keyword", "value"), BAD_TYPES, ids=label)
def test_a2_a_wrong_type_is_a_type_error(kind: Kind, keyword: str, value: object) -> None:
    """The text names the option and the type that it got."""
    text = refused(kind, {keyword: value}, TypeError)
    assert keyword in text
    assert "received type" in text


@pytest.mark.parametrize(("kind", "keyword", "value"), BAD_VALUES, ids=label)
def test_a2_an_impossible_value_is_a_value_error(kind: Kind, keyword: str, value: object) -> None:
    """The text names the option, and does not bury it under the value."""
    text = refused(kind, {keyword: value}, ValueError)
    assert keyword in text
    assert len(text) < 400


@pytest.mark.parametrize(("value", "error"), BAD_COUNTS, ids=label)
@pytest.mark.parametrize(("kind", "keyword"), COUNTS, ids=label)
def test_r3_bad_counts_are_refused(kind: Kind, keyword: str, value: object, error: type[Exception]) -> None:
    """Restarts and retries are 0, positive or -1, wherever they are given."""
    text = refused(kind, {keyword: value}, error)
    if error is ValueError:
        assert text.startswith(f"The keyword '{keyword}' only accepts None, 0, -1 or a positive integer")
        assert "-1 represents infinity" in text
    else:
        assert text.startswith(f"The type of keyword '{keyword}' must be int, or None for the default, but received")


@given(count=st.integers(-1, 2**53))
def test_r3_every_possible_count_is_taken(count: int) -> None:
    """All counts that can be kept exactly are."""
    for kind, keyword in COUNTS:
        assert getattr(kind.parse({keyword: count}), keyword) == count


def test_r3_the_nearer_wins() -> None:
    """A method's own value stands in for the actor's, a call's for the method's; None leaves it to the farther one."""
    method = MethodOptions.parse({"max_task_retries": 2})
    assert MethodOptions.parse({}).max_task_retries is None
    assert method.override({"max_task_retries": 0}).max_task_retries == 0
    assert method.override({"name": "x"}).max_task_retries == 2
    assert method.max_task_retries == 2


def test_a2_a_limit_of_zero_is_no_limit() -> None:
    """As in Ray."""
    assert ActorOptions.parse({"max_pending_calls": 0}).max_pending_calls == -1


@pytest.mark.parametrize(
    ("kind", "keyword", "words"),
    [
        (ActorOptions, "max_restart", "Did you mean 'max_restarts'?"),
        (ActorOptions, "foo", "for actors. Valid ones are: concurrency_groups, get_if_exists, "),
        (ActorOptions, "num_returns", "use @callboard.method(num_returns=...)"),
        (ActorOptions, "concurrency_group", "It is an option of methods"),
        (MethodOptions, "num_cpus", "use @callboard.remote(num_cpus=...)"),
        (MethodOptions, "max_retries", "that of methods is max_task_retries"),
        (MethodOptions, "foo", "for methods. Valid ones are: _generator_backpressure_num_objects, concurrency_group, "),
        (MethodOptions, "concurency_group", "Did you mean 'concurrency_group'?"),
    ],
)
def test_a2_an_unknown_option_is_a_value_error(kind: Kind, keyword: str, words: str) -> None:
    """The text names it, the valid ones, and where it belongs or what was meant; also when its value is None."""
    for value in (1, None):
        text = refused(kind, {keyword: value}, ValueError)
        assert text.startswith(f"Invalid option keyword {keyword!r} for ")
        assert words in text


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("accelerator_type", "A100"),
        ("scheduling_strategy", "SPREAD"),
        ("scheduling_strategy", object()),
        ("label_selector", {"zone": "a"}),
        ("object_store_memory", 1000),
        ("enable_task_events", False),
        ("_metadata", {"a": {}}),
        ("placement_group", "default"),
        ("placement_group_bundle_index", -1),
        ("placement_group_capture_child_tasks", True),
    ],
)
def test_a2_what_decides_nothing_here_is_accepted(keyword: str, value: object) -> None:
    """Programs written for Ray need not be changed, and each such option has its reason."""
    assert ActorOptions.parse({keyword: value}) == ActorOptions()
    assert _options._NO_EFFECT[keyword][1]


def test_a2_overriding_changes_only_what_is_named() -> None:
    """The original stays, and so do the options that are not named."""
    original = ActorOptions.parse({"max_restarts": 3, "resources": {"x": 1}})
    changed = original.override({"max_restarts": 1, "name": "c1"})
    assert (original.max_restarts, original.name) == (3, None)
    assert (changed.max_restarts, changed.name, changed.resources) == (1, "c1", {"x": 1.0})


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"name": ""}, ValueError, "Actor name cannot be an empty string. Pass None"),
        (
            {"name": 5},
            TypeError,
            "The type of keyword 'name' must be str, or None for the default, but received type int: 5.",
        ),
        ({"name": b"x"}, TypeError, "received type bytes"),
        ({"name": "\ud800"}, ValueError, "UTF-8"),
        ({"namespace": ""}, ValueError, '"" is not a valid namespace. Pass None'),
        ({"namespace": 5}, TypeError, "received type int"),
        ({"lifetime": "forever"}, ValueError, "None, 'detached' or 'non_detached', but received 'forever'"),
        ({"lifetime": ""}, ValueError, "'detached'"),
        ({"get_if_exists": True}, ValueError, "The actor name must be specified to use `get_if_exists`: pass name="),
    ],
    ids=label,
)
def test_n2_bad_names_are_refused(given: dict[str, Any], error: type[Exception], words: str) -> None:
    """Names, namespaces and lifetimes are refused in Ray's classes, and the texts say what to pass."""
    assert words in refused(ActorOptions, given, error)


@pytest.mark.parametrize("lifetime", [None, "detached", "non_detached"])
def test_n1_lifetimes(lifetime: str | None) -> None:
    """Only a detached one is detached."""
    assert ActorOptions.parse({"lifetime": lifetime}).detached is (lifetime == "detached")


@given(name=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_n2_any_other_name_is_taken(name: str) -> None:
    """Every text that can be stored is a name and a namespace."""
    options = ActorOptions.parse({"name": name, "namespace": name, "get_if_exists": True})
    assert (options.name, options.namespace) == (name, name)


def test_n2_a_name_given_later_goes_with_an_earlier_get_if_exists() -> None:
    """What matters is that both are there in the end."""
    assert ActorOptions.parse({"name": "c1"}).override({"get_if_exists": True}).get_if_exists
    with pytest.raises(ValueError, match="name must be specified"):
        ActorOptions.parse({"name": "c1", "get_if_exists": True}).override({"name": None})


def test_a2_a_working_directory_is_kept_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker starts elsewhere, so a relative path would mislead it."""
    monkeypatch.chdir(tmp_path)
    options = ActorOptions.parse({"runtime_env": {"working_dir": ".", "env_vars": None}})
    assert options.runtime_env == {"working_dir": str(tmp_path.resolve())}


def test_a2_a_runtime_env_that_is_not_supported_names_what_is() -> None:
    """The text names the field and the ones that are taken."""
    text = refused(ActorOptions, {"runtime_env": {"pip": ["requests"], "conda": "x"}}, ValueError)
    assert "only accepts env_vars and working_dir, but received conda, pip" in text


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (5, TypeError, "must be bool or a list of exception types"),
        (ValueError, TypeError, "must be bool or a list of exception types"),
        ([5], TypeError, "retry_exceptions[0] must be an exception type, but received type int: 5"),
        ([ValueError, "KeyError"], TypeError, "retry_exceptions[1]"),
        ([int], ValueError, "subclasses of Exception, but received 'int'"),
        ([KeyboardInterrupt], ValueError, "subclasses of Exception, but received 'KeyboardInterrupt'"),
    ],
    ids=label,
)
def test_r9_bad_retry_exceptions_are_refused_at_decoration(value: object, error: type[Exception], words: str) -> None:
    """Neither the actor nor the call has to fail first."""
    assert words in refused(MethodOptions, {"retry_exceptions": value}, error)


def test_r9_retry_exceptions_is_no_option_of_actors() -> None:
    """The text says where it belongs."""
    text = refused(ActorOptions, {"retry_exceptions": True}, ValueError)
    assert "It is an option of methods: use @callboard.method(retry_exceptions=...)" in text


@pytest.mark.parametrize(
    ("value", "error", "retried"),
    [
        (None, ValueError(), False),
        (False, ValueError(), False),
        (True, ValueError(), True),
        (True, KeyboardInterrupt(), False),
        ([], ValueError(), False),
        ([LookupError, OSError], KeyError(), True),
        ((LookupError,), ValueError(), False),
    ],
    ids=label,
)
def test_r9_which_exceptions_are_retried(value: object, error: BaseException, retried: bool) -> None:
    """All exceptions, those of the types named, or none."""
    assert MethodOptions.parse({"retry_exceptions": value}).retries(error) is retried


@pytest.mark.parametrize("value", [0, 1, 7, "streaming", "dynamic"])
def test_a6_numbers_of_returns(value: object) -> None:
    """A number, or a generator in either of Ray's ways."""
    assert MethodOptions.parse({"num_returns": value}).num_returns == value


@pytest.mark.parametrize("value", [-1, 1, 50])
def test_a6_backpressure(value: int) -> None:
    """A number of items, or no limit."""
    assert MethodOptions.parse({"_generator_backpressure_num_objects": value}).backpressure == value


@given(
    value=st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers())
    )
)
@pytest.mark.parametrize("kind", [ActorOptions, MethodOptions])
def test_a2_whatever_is_passed_is_taken_or_refused(kind: Kind, value: object) -> None:
    """No option answers a wrong value with any other error, and what is kept would be taken again."""
    for keyword in kind._checks:
        with contextlib.suppress(TypeError, ValueError):
            taken = kind.parse({"name": "c1", keyword: value})
            assert kind.parse(asdict(taken)) == taken
