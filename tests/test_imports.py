"""Who may import what (the layout's three lines), read from the sources without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FINPROXY, HARNESS = ([p.relative_to(ROOT) for p in (ROOT / n).rglob("*.py")] for n in ("finproxy", "harness"))

SANS_IO = (
    "legs events commands rules notation reading units rulebook transitions endpoint fates engine records "
    "addresses toxics/values"
)
IO = {"trio", "socket", "os", "time", "random", "logging"}
SYSTEM = {"fcntl", "termios", "resource", "errno", "select", "selectors", "ctypes", "mmap", "syslog"}
# select.select is as portable as sockets are; the watcher waits with it in a thread without trio.
SYSTEM_PLACES = {"finproxy/readiness.py", "harness/watching/watcher.py"}
SYSTEM_FOLDERS = ("finproxy/sockets/", "finproxy/wire/", "harness/sources/")


def imports(path: Path, *, inside_functions: bool = True) -> Iterator[str]:
    """The dotted names that a module imports; a relative import as the absolute one that it is."""
    package = ".".join(path.parts[:-1])
    waiting: list[ast.AST] = [ast.parse((ROOT / path).read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level > 1 else package
            yield ".".join(filter(None, [above if node.level else "", node.module or ""]))
        elif inside_functions or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += ast.iter_child_nodes(node)


def roots(path: Path, *, inside_functions: bool = True) -> set[str]:
    return {name.split(".")[0] for name in imports(path, inside_functions=inside_functions)}


@pytest.mark.parametrize("path", FINPROXY, ids=str)
def test_finproxy_imports_harness_in_function_bodies_of_two_places_at_most(path: Path) -> None:
    may_inside = path.as_posix().startswith(("finproxy/cli/", "finproxy/pytest_plugin/"))
    assert "harness" not in roots(path, inside_functions=not may_inside)


@pytest.mark.parametrize("path", HARNESS, ids=str)
def test_harness_imports_finproxy_by_its_facade_only(path: Path) -> None:
    assert not [name for name in imports(path) if name.startswith("finproxy.")]


@pytest.mark.parametrize("module", SANS_IO.split())
def test_sans_io_modules_import_no_io(module: str) -> None:
    assert not IO & roots(Path("finproxy", f"{module}.py"))


@pytest.mark.parametrize("path", [*FINPROXY, *HARNESS], ids=str)
def test_what_is_the_operating_systems_stays_in_its_places(path: Path) -> None:
    if path.as_posix() not in SYSTEM_PLACES and not path.as_posix().startswith(SYSTEM_FOLDERS):
        assert not SYSTEM & roots(path)


def test_the_reader_of_imports_sees_them_all() -> None:
    assert {"trio", "finproxy.readiness", "collections"} <= {
        name.removesuffix(".abc") for name in imports(Path("finproxy", "testing", "readiness.py"))
    }
    assert "finproxy.notation" in set(imports(Path("finproxy", "rules.py")))
    assert "finproxy.notation" not in set(imports(Path("finproxy", "rules.py"), inside_functions=False))
