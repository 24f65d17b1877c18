"""The errors of the broker: one tree, and errors that travel between processes."""

import inspect
import pickle

import pytest

from callboard_broker import errors

CLASSES = [getattr(errors, name) for name in errors.__all__]


def drawn_tree() -> dict[str, str]:
    """Read the tree at the top of the module as child -> parent."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        name = line.lstrip(" |+-")
        if name not in errors.__all__:
            continue
        depth = (len(line) - len(name)) // 4 - 1  # the tree is indented by one step
        path[depth:] = [name]
        if depth:
            parents[name] = path[depth - 1]
    return parents


def test_the_drawn_tree_is_the_real_tree() -> None:
    """Every class stands in the module docstring under the class that it derives from."""
    actual = {cls.__name__: cls.__base__.__name__ for cls in CLASSES if cls is not errors.RayError}
    assert drawn_tree() == actual


def test_every_error_is_exported() -> None:
    """No error of the module is left out of its public names."""
    defined = {name for name, value in vars(errors).items() if isinstance(value, type)}
    assert defined == set(errors.__all__)


def test_the_root_is_an_exception_of_its_own() -> None:
    """One except clause catches whatever callboard raises, and nothing else."""
    assert errors.RayError.__base__ is Exception
    assert all(issubclass(cls, errors.RayError) for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_survives_pickle(cls: type[errors.RayError]) -> None:
    """Class, message and notes arrive in the other process."""
    error = cls("what was wrong, and what to do")
    error.add_note("seen by actor a1")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert copy.args == error.args
    assert str(copy) == "what was wrong, and what to do"
    assert copy.__notes__ == ["seen by actor a1"]


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_takes_no_keywords(cls: type[errors.RayError]) -> None:
    """Pickle restores positional arguments only, so there is no other way to construct an error."""
    with pytest.raises(TypeError):
        cls(message="lost by pickle")  # type: ignore[call-arg]  # the point of the test


@pytest.mark.parametrize("cls", CLASSES)
def test_an_error_says_when_it_is_raised(cls: type[errors.RayError]) -> None:
    """Its docstring is one sentence."""
    text = inspect.cleandoc(cls.__doc__ or "")
    assert text.startswith("Root of" if cls is errors.RayError else "Raised when ")
    assert text.endswith(".")
    assert "\n" not in text
