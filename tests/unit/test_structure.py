"""The shape of the code: sizes, public names, and what may appear in one place only.

Which package may import which is checked by import-linter.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("broker", "sdk", "supervisor")
PYTHON = sorted(
    path.relative_to(ROOT)
    for folder in (*PACKAGES, "tests", "bench", "chaos", "conformance", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
LIBRARY = [path for path in PYTHON if path.parts[0] in PACKAGES]
LUA = sorted(path.relative_to(ROOT) for folder in PACKAGES for path in (ROOT / folder).rglob("*.lua"))
IMPORT_NAMES = {"callboard", "callboard_broker", "callboard_supervisor"}
WITH_PUBLIC_NAMES = {Path("sdk/callboard/__init__.py"), Path("broker/callboard_broker/__init__.py")}

MOST_PYTHON_LINES = 399
MOST_LUA_LINES = 99
MOST_FUNCTION_LINES = 50
MOST_CONSTRUCTOR_ARGUMENTS = 6

Function = ast.FunctionDef | ast.AsyncFunctionDef


def parse(path: Path) -> ast.Module:
    """Parse one file of the project."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), str(path))


def functions(path: Path) -> Iterator[Function]:
    """Find all functions of a file, also nested ones and methods."""
    return (node for node in ast.walk(parse(path)) if isinstance(node, Function))


def docstring(node: ast.AST) -> ast.Expr | None:
    """Find the statement that is a node's docstring."""
    body = getattr(node, "body", None)
    match body:
        case [ast.Expr(value=ast.Constant(value=str())) as first, *_]:
            return first
    return None


def lines_of(node: ast.stmt) -> int:
    """Count the lines of a statement."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def lines_without_docstring(node: Function) -> int:
    """Count the lines of a function from its `def` to its end."""
    text = docstring(node)
    return lines_of(node) - (lines_of(text) if text else 0)


def arguments_besides_self(node: Function) -> int:
    """Count what a constructor can be given, `*args` and `**kwargs` as one each."""
    given = node.args
    several = [argument for argument in (given.vararg, given.kwarg) if argument]
    return len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs) + len(several) - 1


def called(node: ast.AST, aliases: dict[str, str]) -> str:
    """Name an attribute in full, such as `pickle.loads`, with the modules' own names."""
    match node:
        case ast.Name(id=name):
            return aliases.get(name, name)
        case ast.Attribute(value=value, attr=attr):
            return f"{called(value, aliases)}.{attr}"
    return ""


def uses(path: Path, names: set[str]) -> list[str]:
    """Find where a file uses or imports one of these full names, under whatever alias."""
    tree = parse(path)
    aliases: dict[str, str] = {}
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            imported = {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            aliases |= imported
            found += [f"{path}:{node.lineno}" for name in imported.values() if name in names]
    return found + [
        f"{path}:{node.lineno}"
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and called(node, aliases) in names
    ]


def bound_names(tree: ast.Module) -> Iterator[str]:
    """Find the names that a package's `__init__` offers: its own definitions and imports from our packages."""
    for node in tree.body:
        match node:
            case ast.ImportFrom(module=module, level=level, names=names):
                if level or (module or "").split(".")[0] in IMPORT_NAMES:
                    yield from (alias.asname or alias.name for alias in names)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def exported_names(tree: ast.Module) -> list[str] | None:
    """Read `__all__`, which must be a plain list of strings."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return [str(name) for name in ast.literal_eval(value)]
    return None


def export_order(name: str) -> tuple[int, list[tuple[int, str]]]:
    """Sort as ruff sorts `__all__`: constants, classes, the rest; numbers inside names by value."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    parts = re.findall(r"\d+|\D+", name)
    return kind, [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


@pytest.mark.parametrize("path", PYTHON, ids=str)
def test_python_files_are_short(path: Path) -> None:
    """A Python file has fewer than 400 lines."""
    assert len((ROOT / path).read_text(encoding="utf-8").splitlines()) <= MOST_PYTHON_LINES


def test_lua_files_are_short() -> None:
    """A Lua script has fewer than 100 lines."""
    sizes = {str(path): len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in LUA}
    assert {path: lines for path, lines in sizes.items() if lines > MOST_LUA_LINES} == {}


def test_functions_are_short() -> None:
    """A function of the library has at most 50 lines without its docstring."""
    sizes = {
        f"{path}:{node.lineno} {node.name}": lines_without_docstring(node)
        for path in LIBRARY
        for node in functions(path)
    }
    assert {name: lines for name, lines in sizes.items() if lines > MOST_FUNCTION_LINES} == {}


def test_constructors_take_few_arguments() -> None:
    """A constructor that is written out takes at most 6 arguments; records are dataclasses."""
    sizes = {
        f"{path}:{node.lineno}": arguments_besides_self(node)
        for path in LIBRARY
        for node in functions(path)
        if node.name == "__init__"
    }
    assert {name: count for name, count in sizes.items() if count > MOST_CONSTRUCTOR_ARGUMENTS} == {}


def test_the_source_folders_are_no_packages() -> None:
    """The folders that hold the packages cannot be imported themselves."""
    assert [folder for folder in PACKAGES if (ROOT / folder / "__init__.py").exists()] == []


@pytest.mark.parametrize("path", [path for path in LIBRARY if path.name == "__init__.py"], ids=str)
def test_public_names_are_listed(path: Path) -> None:
    """`__all__` is sorted and lists exactly what a package offers."""
    tree = parse(path)
    exported = exported_names(tree)
    if exported is None:
        assert path not in WITH_PUBLIC_NAMES, f"{path} must list its public names in __all__"
        return
    assert exported == sorted(exported, key=export_order)
    bound = set(bound_names(tree)) - {"__all__"}
    assert set(exported) - bound == set(), "listed, but not there"
    assert {name for name in bound if not name.startswith("_")} - set(exported) == set(), "there, but not listed"


def test_unpickling_happens_in_one_module() -> None:
    """Only one module can turn bytes into objects, so only one has to verify them first."""
    dangerous = {
        f"{module}.{name}"
        for module in ("pickle", "_pickle", "cloudpickle", "cloudpickle.cloudpickle")
        for name in ("load", "loads", "Unpickler")
    }
    where = {use.rpartition(":")[0] for path in LIBRARY for use in uses(path, dangerous)}
    assert where == {"sdk/callboard/_serde.py"}


def test_tests_do_not_sleep() -> None:
    """Tests wait for conditions, never for a time."""
    tests = [path for path in PYTHON if path.parts[0] == "tests"]
    assert [use for path in tests for use in uses(path, {"time.sleep"})] == []


def test_keys_are_made_in_one_module() -> None:
    """No text that begins like a Redis key stands outside the module that makes the keys."""
    found = []
    for path in LIBRARY:
        if path == Path("broker/callboard_broker/keys.py"):
            continue
        tree = parse(path)
        explained = {id(text.value) for node in ast.walk(tree) if (text := docstring(node))}
        found += [
            f"{path}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and id(node) not in explained
            if isinstance(node.value, str | bytes) and re.match(r"cb:", str(node.value).removeprefix("b'"))
        ]
    assert found == []


def test_lua_makes_no_keys() -> None:
    """Scripts get every key from their caller, or a Redis Cluster could not route them."""
    found = []
    for path in LUA:
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8").splitlines(), 1):
            if re.search(r"""["']cb:""", line.partition("--")[0]):
                found.append(f"{path}:{number}")
    assert found == []


def test_the_checks_find_what_they_look_for(tmp_path: Path) -> None:
    """The searches see through aliases, count arguments and skip docstrings."""
    path = tmp_path / "sample.py"
    path.write_text(
        "import pickle as p\n"
        "from time import sleep as nap\n"
        "class Loader(p.Unpickler):\n"
        "    def __init__(self, a, /, b, *c, d, **e):\n"
        '        """One.\n\n        Two.\n        """\n'
        "        p.loads(b)\n"
    )
    assert uses(path, {"pickle.loads", "pickle.Unpickler"}) == [f"{path}:3", f"{path}:9"]
    assert uses(path, {"time.sleep"}) == [f"{path}:2"]
    (constructor,) = functions(path)
    assert arguments_besides_self(constructor) == 5
    assert lines_without_docstring(constructor) == 2
    assert sorted(["b", "Cat10", "Cat9", "MOST", "a"], key=export_order) == ["MOST", "Cat9", "Cat10", "a", "b"]
