"""`lossary new`: a loss of one's own to start from, with its test beside it."""

from __future__ import annotations

import io
import keyword
import re
import sys
import tokenize
from importlib import resources
from pathlib import Path

from lossary.errors import DataError, ParameterError

# What a loss may be written for; "all" is a lossary class.
FRAMEWORKS = ("torch", "keras", "jax", "all")

# Files of these names would hide the packages that they import.
_TAKEN = {"torch", "keras", "tensorflow", "jax", "numpy", "lossary", "pytest", "conftest"}


def write(path: Path, framework: str, name: str | None = None) -> tuple[Path, Path]:
    """Write a loss and its test, and say where: `path`, and test_… beside it.

    Args:
        path: a Python file that does not exist yet, in a folder that does.
        framework: one of `FRAMEWORKS`.
        name: of the class (of the function, in JAX); that of the file unless given.

    Raises:
        ParameterError: an unknown framework, or a name that Python cannot have.
        DataError: the file cannot be written, or is there already; nothing is overwritten.
    """
    if framework not in FRAMEWORKS:
        raise ParameterError(f"--framework must be one of {', '.join(FRAMEWORKS)}, not {framework!r}.")
    _check_path(path)
    name = name or (path.stem if framework == "jax" else _camel(path.stem))
    if not _is_name(name):
        raise ParameterError(f"--name must be a name that Python can have, not {name!r}.")
    files = path, path.with_name(f"test_{path.name}")
    texts = [_rendered(f"{kind}{framework}", name, path.stem) for kind in ("", "test_")]
    if any(name in _names(_rendered(f"{kind}{framework}", "_", "_")) for kind in ("", "test_")):
        raise ParameterError(f"{name} is a name that the file needs itself: say another one by --name.")
    for each in files:
        if each.exists():
            raise DataError(f"{each} exists already, and nothing is overwritten: choose another name, or move it.")
    for each, text in zip(files, texts, strict=True):
        try:
            with each.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise DataError(f"{each} cannot be written: {error.strerror or error}.") from None
    return files


def _rendered(template: str, name: str, module: str) -> str:
    import jinja2

    text = (resources.files("lossary") / "templates" / f"{template}.py.jinja").read_text(encoding="utf-8")
    page = jinja2.Template(text, undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return str(page.render(name=name, module=module, snake=_snake(name)))


def _names(text: str) -> set[str]:
    """All names in a Python file."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def _check_path(path: Path) -> None:
    """Raises where nothing can be imported from a file of that name, or the folder is missing."""
    if path.suffix != ".py":
        raise ParameterError(f"the file must end in .py, not {path.name!r}.")
    if not _is_name(path.stem):
        raise ParameterError(f"{path.name} cannot be imported: letters, digits and _ only, and no word of Python's.")
    if path.stem in _TAKEN or path.stem in sys.stdlib_module_names:
        raise ParameterError(f"{path.name} would hide the package {path.stem}: choose another name.")
    if path.stem.startswith("test_"):
        raise ParameterError(f"{path.name} would be taken for a test: the loss's own is written beside it.")
    if not path.parent.is_dir():
        raise DataError(f"{path.parent} is no folder: make it first.")


def _is_name(word: str) -> bool:
    return word.isidentifier() and word.isascii() and not keyword.iskeyword(word)


def _camel(word: str) -> str:
    """my_loss → MyLoss."""
    return "".join(part[:1].upper() + part[1:] for part in word.split("_")) or word


def _snake(word: str) -> str:
    """MyLoss → my_loss."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", word).lower()
