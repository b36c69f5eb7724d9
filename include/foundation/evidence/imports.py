"""Which files of `include/` a module's code consists of: its own and those of all modules that it imports, in turn."""

import ast
from collections.abc import Iterator
from pathlib import Path

from include.foundation.errors import InvalidInput

# Not followed. What the first two give is digested itself, as snapshot ids and as sections of the spec; no value
# depends on the third.
BY_VALUE = ("include.foundation.lake", "include.foundation.spec", "include.foundation.errors")


def reachable(root: Path, *modules: str) -> list[Path]:
    """The source files of modules and of what they import, also lazily; of a use case its data files too. Sorted.

    Imports are read, not run, so the answer is the same in every environment. An import that only type checkers see
    does not count; one by a name that is made up at run time is not seen.

    Args:
        root: the folder that holds `include/`.
        modules: dotted names, `include.…`.

    Raises:
        InvalidInput: there is no such module, or a file is not valid Python.
    """
    found: dict[str, Path] = {}
    left = list(modules)
    while left:
        name = left.pop()
        if name in found or any(f"{name}.".startswith(f"{each}.") for each in BY_VALUE):
            continue
        file = _file(root, name)
        if file is None:
            raise InvalidInput(f"{root} has no module {name}")
        found[name] = file
        left += [each for each in (name.rpartition(".")[0], *_imports(name, file)) if each and _file(root, each)]
    folders = {file.parent for name, file in found.items() if name.count(".") > 2 and ".use_cases." in name}
    return sorted({*found.values(), *(path for folder in folders for path in _data(folder))})


def _file(root: Path, name: str) -> Path | None:
    path = root.joinpath(*name.split("."))
    return next((each for each in (path / "__init__.py", path.with_suffix(".py")) if each.is_file()), None)


def _imports(name: str, file: Path) -> Iterator[str]:
    """Names below `include` that the file imports; what is taken from a module may be a module too."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        raise InvalidInput(f"{file} is not valid Python: {error}") from error
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("include."))
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -node.level + 1 or None] if node.level else []
            whole = ".".join([*above, *filter(None, [node.module])])
            if f"{whole}.".startswith("include."):
                yield whole
                yield from (f"{whole}.{alias.name}" for alias in node.names)


def _running(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under `if TYPE_CHECKING:`."""
    yield node
    skipped = node.body if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING") else []
    for child in ast.iter_child_nodes(node):
        if child not in skipped:
            yield from _running(child)


def _data(folder: Path) -> Iterator[Path]:
    """Files of a use case that its code may read; the spec is digested by section."""
    for path in folder.rglob("*"):
        other = path.suffix in {".py", ".pyc", ".md"} or path.name == "use_case.yaml" or path.name.startswith(".")
        if path.is_file() and not other:
            yield path
