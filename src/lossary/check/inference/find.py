"""From what stands on the command line to the losses that are meant: files, folders, modules, names."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, final

from lossary import catalogue
from lossary.check.inference import conventions
from lossary.check.inference.candidate import framework_class, place
from lossary.define.loss import Loss
from lossary.errors import DataError, LossaryError, MissingExtraError, UnknownNameError, UsageError

_FORMS = "a file is written losses.py, what is in a module package.module:name."
_TESTS = ("tests", "test")
_OTHERS = ("node_modules", "site-packages", "build", "dist", "__pycache__")
_VERBS = {"plot", "train", "test", "evaluate", "make", "build", "create", "get", "log", "print", "show", "save", "load"}
_METRICS = {"accuracy", "metric", "auc", "f1", "precision", "recall", "score", "r2"}
_EXTRAS = {"torch": "torch", "keras": "keras", "tensorflow": "keras", "jax": "jax", "sklearn": "sklearn"}


@final
@dataclasses.dataclass(frozen=True, eq=False)
class NamedLoss:
    """A loss that was asked for.

    Args:
        name: as reports call it.
        loss: the function, module or class; with the arguments that it was given, where there were any.
        path, line: where it is written; "" and 0 where that is no file of the user's.
        source: the expression that it is, where its name is; None where `infer` knows better.
        imports: the statements that make it known to whoever pastes a reproducer in the current directory.
    """

    name: str
    loss: Any
    path: str = ""
    line: int = 0
    source: str | None = None
    imports: str = ""


def losses(target: str, arguments: Mapping[str, Any] | None = None) -> list[NamedLoss]:
    """The losses that a target names: "losses.py::focal_loss", "losses.py", "folder", "torch.nn:HuberLoss", "huber".

    Files and modules are imported, each once.

    Args:
        arguments: what a class is made with, or what a function takes beside its two arrays: `{"delta": 0.5}`.

    Raises:
        UnknownNameError: no such file, module or name.
        DataError: a file that cannot be imported, that has no losses, or two of one name.
        UsageError: what is named is not callable, or does not take these arguments.
        MissingExtraError: the framework is not installed.
    """
    path, mark, name = target.partition("::")
    if mark or Path(path).exists() or path.endswith(".py") or os.sep in path:
        losses = _of_path(Path(path), name)
    elif ":" in target:
        losses = [_of_module(*target.split(":", 1))]
    else:
        losses = [_of_catalogue(target)]
    return _bound(losses, dict(arguments or {}), target)


# ── names of the catalogue, and of modules ───────────────────────────────────────────────────────────────────────────


def _of_catalogue(name: str) -> NamedLoss:
    try:
        definition = catalogue.find(name)
    except UnknownNameError as error:
        close = next((path.name for path in Path().glob("*.py") if path.stem == name), None)
        suggestion = str(error).partition("did you mean ")[2]
        advice = f"did you mean {close or suggestion.rstrip('?')}?" if close or suggestion else _FORMS
        raise UnknownNameError(
            f"{str(error).splitlines()[0].rstrip('.')}, nor is there such a file; {advice}"
        ) from None
    path, line = place(definition)
    return NamedLoss(definition.__name__, definition, path, line)


def _of_module(module: str, name: str) -> NamedLoss:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # it stays, because a module may import more when it is called
    try:
        home = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise _missing(module, error) from None
    except (Exception, SystemExit) as error:
        raise DataError(f"the module {module} cannot be imported: {_one_line(error)}") from error
    loss = _attribute(home, name, f"the module {module}")
    written = getattr(loss, "definition", loss)  # of lossary's own at home in a framework
    path, line = place(written if hasattr(written, "__name__") else type(written))
    root = module.partition(".")[0]
    if root in conventions.HOSTS or root == "lossary":
        return NamedLoss(name, loss, path, line)
    return NamedLoss(name, loss, path, line, _source(loss, name), f"from {module} import {name.partition('.')[0]}")


def _missing(module: str, error: ModuleNotFoundError) -> LossaryError:
    """The error for a module that is not there, or that needs one that is not."""
    root, lacking = module.partition(".")[0], error.name or module
    if lacking != root and not module.startswith(lacking):
        return DataError(f"the module {module} cannot be imported: it needs {lacking}, which is not installed.")
    if root in conventions.HOSTS and importlib.util.find_spec(root) is None:
        extra = f"pip install 'lossary[{_EXTRAS[root]}]'" if root in _EXTRAS else f"pip install {root}"
        return MissingExtraError(f"{root} is not installed: {extra}.")
    return UnknownNameError(f"there is no module {lacking!r}{'' if lacking == module else f' to find {module!r} in'}.")


def _attribute(home: ModuleType, name: str, where: str) -> Any:
    """What a dotted name is in a module, which must be something that can be called.

    Raises:
        UnknownNameError: there is no such thing.
        UsageError: it is not callable.
    """
    value: Any = home
    for part in name.split("."):
        if not part or not hasattr(value, part):
            names = [each for each in dir(value) if not each.startswith("_") and callable(getattr(value, each, None))]
            close = difflib.get_close_matches(part, names, n=1, cutoff=0.5) if part else []
            raise UnknownNameError(f"{where} has no {name!r}{f'; did you mean {close[0]}?' if close else '.'}")
        value = getattr(value, part)
    if not callable(value):
        raise UsageError(f"{name} of {where} must be a function, a module or a class, not {type(value).__name__}.")
    return value


# ── files and folders ────────────────────────────────────────────────────────────────────────────────────────────────


@final
@dataclasses.dataclass(frozen=True)
class _File:
    """A file of the user's, read and not run.

    Args:
        path: as it was asked for, from the current directory.
        defined: the names that it defines at its top level, and the lines.
    """

    path: Path
    defined: Mapping[str, int]

    @property
    def shown(self) -> str:
        return self.path.as_posix()


def _of_path(path: Path, name: str) -> list[NamedLoss]:
    if path.is_dir():
        if name:
            raise UnknownNameError(
                f"{path} is a folder: {name!r} is looked for in a file, such as {path}/losses.py::{name}."
            )
        return _of_folder(path)
    if not path.is_file():
        raise UnknownNameError(f"there is no file {str(path)!r}{_close_file(path)}")
    file = _read(path)
    module, imported = _imported(file)
    if not name:
        losses = [_in_file(file, imported, each, getattr(module, each, None)) for each in _losses_in(file, module)]
        if not losses:
            raise DataError(
                f"{file.shown} defines nothing that looks like a loss; {file.shown}::NAME says which is one."
            )
        return losses
    first = name.partition(".")[0]
    if not hasattr(module, first):
        names = [*_losses_in(file, module), *file.defined]
        close = difflib.get_close_matches(first, names, n=1, cutoff=0.5)
        raise UnknownNameError(f"{file.shown} has no {name!r}{f'; did you mean {close[0]}?' if close else '.'}")
    return [_in_file(file, imported, name, _attribute(module, name, file.shown))]


def _of_folder(folder: Path) -> list[NamedLoss]:
    losses: list[NamedLoss] = []
    for file in _files(folder):
        module, imported = _imported(file)
        losses += [_in_file(file, imported, each, getattr(module, each)) for each in _losses_in(file, module)]
    if not losses:
        raise DataError(f"no file in {folder} defines anything that looks like a loss.")
    places: dict[str, NamedLoss] = {}
    for each in losses:
        other = places.setdefault(each.name, each)
        if other is not each:
            raise DataError(
                f"two losses are called {each.name}: {other.path}:{other.line} and {each.path}:{each.line}; "
                "check one file at a time."
            )
    return losses


def _files(folder: Path) -> Iterator[_File]:
    """The files of a folder that may define losses, by their text: no other is ever run."""
    for path in sorted(folder.rglob("*.py")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") or part in (*_OTHERS, *_TESTS) for part in inside.parts[:-1]):
            continue
        if any((parent / "pyvenv.cfg").exists() for parent in path.parents if folder in parent.parents):
            continue
        if path.stem.startswith((".", "test_", "conftest", "setup")) or path.stem.endswith("_test"):
            continue
        file = _read(path)
        if any(_says_loss(name) for name in file.defined) or _pairs(path):
            yield file


def _pairs(path: Path) -> bool:
    """Whether a function in a file takes a prediction and a target, by its text."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.FunctionDef):
            names = [each.arg for each in (*node.args.posonlyargs, *node.args.args) if each.arg != "self"]
            if _is_pair(names):
                return True
    return False


def _read(path: Path) -> _File:
    """A file, without running it.

    Raises:
        DataError: it is no Python, or defines a loss twice.
    """
    try:
        body = ast.parse(path.read_bytes(), filename=str(path)).body
    except SyntaxError as error:
        raise DataError(f"{path.as_posix()}:{error.lineno or 1}: the file is no Python: {error.msg}.") from None
    except (OSError, ValueError) as error:
        raise DataError(f"{path.as_posix()} cannot be read: {_one_line(error)}") from None
    defined: dict[str, int] = {}
    for name, line, definite in _definitions(body):
        if definite and name in defined and _says_loss(name):
            raise DataError(f"{path.as_posix()} defines {name} twice, in lines {defined[name]} and {line}.")
        defined.setdefault(name, line)
    return _File(path, defined)


def _definitions(body: list[ast.stmt]) -> Iterator[tuple[str, int, bool]]:
    """What statements define: name, line, and whether it is a function or class that nothing decides about."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            decorators = [ast.unparse(each) for each in node.decorator_list]
            yield node.name, node.lineno, not any("overload" in each or "register" in each for each in decorators)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((each.id, node.lineno, False) for each in targets if isinstance(each, ast.Name))
        elif isinstance(node, ast.If | ast.Try | ast.With):
            inner = [
                *node.body,
                *getattr(node, "orelse", []),
                *(s for h in getattr(node, "handlers", []) for s in h.body),
            ]
            yield from ((name, line, False) for name, line, _ in _definitions(inner))


def _imported(file: _File) -> tuple[ModuleType, str]:
    """The file's module, and the beginning of the statement that imports from it: "from losses import".

    It is imported as Python does it: from the folder above its outermost package, so that its own imports work.
    """
    top, parts = file.path.resolve().parent, [] if file.path.stem == "__init__" else [file.path.stem]
    while (top / "__init__.py").is_file():
        parts.insert(0, top.name)
        top = top.parent
    name = ".".join(parts) or file.path.resolve().parent.name
    if str(top) not in sys.path:
        sys.path.insert(0, str(top))
    importlib.invalidate_caches()
    taken = _taken(name, file.path)
    try:
        module = _beside(name, file.path) if taken else importlib.import_module(name)
    except LossaryError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(
            f"{file.shown}{_line_of(error, file.path)}: the file cannot be imported: {_one_line(error)}"
        ) from error
    relative = os.path.relpath(top)
    path_setup = "" if relative == "." else f"import sys; sys.path.insert(0, {Path(relative).as_posix()!r}); "
    if taken:
        return module, f"import runpy; {{name}} = runpy.run_path({file.shown!r})[{{name!r}}]"
    if not all(part.isidentifier() for part in name.split(".")):
        return module, f"{path_setup}import importlib; {{name}} = importlib.import_module({name!r}).{{name}}"
    return module, f"{path_setup}from {name} import {{name}}"


def _taken(name: str, path: Path) -> bool:
    """Whether another file would be found under that name."""
    root = name.partition(".")[0]
    module = sys.modules.get(name)
    if module is not None:
        return getattr(module, "__file__", None) is None or not path.samefile(str(module.__file__))
    spec = importlib.util.find_spec(root) if root == name else None
    origin = None if spec is None else spec.origin
    return origin is not None and not (Path(origin).exists() and path.samefile(origin))


def _beside(name: str, path: Path) -> ModuleType:
    """A file's module beside another of the same name."""
    alias = "_".join(path.resolve().with_suffix("").parts[-3:]).replace(".", "_")
    spec = importlib.util.spec_from_file_location(alias, path)
    assert spec is not None  # it is a file of Python
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module
    spec.loader.exec_module(module)
    return module


def _line_of(error: BaseException, path: Path) -> str:
    """Where in the file an exception came from: ":12"; "" where it did not."""
    line, trace = "", error.__traceback__
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == path.resolve():
            line = f":{trace.tb_lineno}"
        trace = trace.tb_next
    return line


def _in_file(file: _File, imported: str, name: str, loss: Any) -> NamedLoss:
    first = name.partition(".")[0]
    line = file.defined.get(first, 0)
    return NamedLoss(name, loss, file.shown, line, _source(loss, name), imported.format(name=first))


def _source(loss: Any, name: str) -> str | None:
    """The expression that is the loss: its name, unless it is a class, which stands for what it makes."""
    return None if isinstance(loss, type) else name


def _close_file(path: Path) -> str:
    folder = path.parent if path.parent.is_dir() else Path()
    close = difflib.get_close_matches(path.name, [each.name for each in folder.glob("*.py")], n=1)
    return f"; did you mean {(path.parent / close[0]).as_posix()!r}?" if close else "."


def _one_line(error: BaseException) -> str:
    line = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}{': ' if line else ''}{line}"


# ── what looks like a loss ───────────────────────────────────────────────────────────────────────────────────────────


def _losses_in(file: _File, module: ModuleType) -> list[str]:
    """The names of the losses that a file defines."""
    return [name for name in file.defined if not name.startswith("_") and _is_loss(name, getattr(module, name, None))]


def _is_loss(name: str, thing: Any) -> bool:
    if (
        not callable(thing)
        or isinstance(thing, ModuleType)
        or getattr(thing, "__module__", "") in ("typing", "builtins")
    ):
        return False
    if isinstance(thing, Loss):
        return True
    kind = thing if isinstance(thing, type) else type(thing)
    if issubclass(kind, Loss):
        return "__dataclass_fields__" in vars(kind)
    family = framework_class(kind)
    if family == "keras":
        return not inspect.isabstract(kind)
    method = {"torch": "forward"}.get(family or "", "__call__")
    names = _arguments(getattr(thing, method, thing) if family or isinstance(thing, type) else thing)
    if isinstance(thing, type):
        names = names[1:]  # self
    return len(names) >= 2 and ((_is_pair(names) and not _is_metric(name)) or _says_loss(name))


def _arguments(function: Any) -> list[str]:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (ValueError, TypeError):
        return []
    return [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def _is_pair(names: list[str]) -> bool:
    """Whether the first two arguments are a prediction and a target, whichever comes first."""
    return len(names) > 1 and {conventions.role(names[0]), conventions.role(names[1])} == {"prediction", "target"}


def _is_metric(name: str) -> bool:
    return bool(set(conventions.words(name)) & _METRICS)


def _says_loss(name: str) -> bool:
    tokens = conventions.words(name)
    if not tokens or tokens[0] in _VERBS:
        return False
    return bool(set(tokens) & conventions.LOSSES) or conventions.task(name) is not None


# ── arguments ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _bound(losses: list[NamedLoss], arguments: dict[str, Any], target: str) -> list[NamedLoss]:
    """The losses with the arguments that they take.

    Raises:
        UsageError: an argument that none of them takes.
    """
    if not arguments:
        return losses
    bound, used = [], set()
    for each in losses:
        mine = {name: value for name, value in arguments.items() if _takes(each.loss, name)}
        used |= set(mine)
        bound.append(_with(each, mine) if mine else each)
    for name in arguments:
        if name not in used:
            raise UsageError(f"{target} takes no argument {name!r}{_advice(losses, name)}")
    return bound


def _with(loss: NamedLoss, arguments: dict[str, Any]) -> NamedLoss:
    text = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    imports = loss.imports
    if imports and not isinstance(loss.loss, type):
        imports = f"import functools; {imports}"
    bound = functools.partial(loss.loss, **arguments)
    return dataclasses.replace(loss, name=f"{loss.name}({text})", loss=bound, source=None, imports=imports)


def _takes(loss: Any, name: str) -> bool:
    if not isinstance(loss, type) and not hasattr(loss, "__code__") and not hasattr(loss, "__wrapped__"):
        return False  # made already
    try:
        parameters = inspect.signature(loss).parameters
    except (ValueError, TypeError):
        return True
    return name in parameters or any(each.kind is each.VAR_KEYWORD for each in parameters.values())


def _advice(losses: list[NamedLoss], name: str) -> str:
    names = sorted({each for loss in losses for each in _arguments(loss.loss)})
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else "."
