"""Rewrite what is generated from the catalogue: the public index, and the typed stubs of the package and its hosts.

python scripts/make_index.py            rewrite
python scripts/make_index.py --check    fail if a file is stale
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pathlib
import sys
import typing
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "lossary"
sys.path.insert(0, str(ROOT / "src"))

HEADER = "# Written by `make index` from the catalogue; do not edit.\n"


@dataclasses.dataclass(frozen=True)
class Defined:
    """A loss or penalty: its class, and how that is written."""

    cls: Any
    node: ast.ClassDef


def definitions(folder: pathlib.Path, kind: str) -> dict[str, Defined]:
    """By name, what derives from that class of lossary's below `folder`; in the order of the files' paths."""
    import lossary

    found = {}
    for path in sorted(folder.rglob("*.py")):
        module = importlib.import_module("lossary." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.ClassDef):
                continue
            cls = vars(module)[node.name]
            if issubclass(cls, getattr(lossary, kind)) and dataclasses.is_dataclass(cls):  # abstract ones are none
                found[node.name] = Defined(cls, node)
    return found


def families(losses: dict[str, Defined]) -> dict[str, str]:
    """The folders that losses are in, and what each says of itself."""
    from lossary import catalogue

    found = {}
    for family in dict.fromkeys(catalogue.family(each.cls) for each in losses.values()):
        path = PACKAGE / "losses" / family / "__init__.py"
        title = ast.get_docstring(ast.parse(_read(path) or ""))
        if not title or "\n" in title:
            sys.exit(
                f"{path.relative_to(ROOT)}: its docstring must say in one line what the losses of the family are for"
            )
        found[family] = title
    return found


def hosts() -> list[str]:
    """The modules that say what their stub begins with."""
    return [path.stem for path in sorted(PACKAGE.glob("*.py")) if "\nSTUB = " in path.read_text()]


def hyper_parameters(node: ast.ClassDef) -> list[tuple[str, str, str]]:
    """(name, annotation, default) of each field made by `parameter(...)`."""
    fields = []
    for statement in node.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call):
            call = statement.value
            if isinstance(call.func, ast.Name) and call.func.id == "parameter":
                name, kind = ast.unparse(statement.target), _given(ast.unparse(statement.annotation))
                default = next((word.value for word in call.keywords if word.arg == "default"), *call.args)
                fields.append((name, kind, ast.unparse(default)))
    return fields


def _given(kind: str) -> str:
    """What a constructor takes for a field of that type."""
    from lossary.define import parameters

    types = typing.get_args(getattr(parameters, kind, None))
    return str(types[0]) if types else kind


def signature(node: ast.ClassDef, options: str, defaults: dict[str, typing.Any]) -> str:
    """The constructor's parameters: the first is positional unless it is a flag, the rest are not.

    In `defaults` is where a host has others than the loss; None for what must be given.
    """
    parts = ["self"]
    for index, (name, kind, its) in enumerate(hyper_parameters(node)):
        default = repr(defaults[name]) if name in defaults else its
        if len(parts) == 1 and index == 0 and kind != "bool":
            parts.append(f"{name}: {kind} = {default}")
            continue
        if "*" not in parts:
            parts.append("*")
        parts.append(f"{name}: {kind}" if default == "None" else f"{name}: {kind} = {default}")
    if options:
        if "*" not in parts:
            parts.append("*")
        parts.append(options)
    return ", ".join(parts)


def index(losses: dict[str, Defined], penalties: dict[str, Defined]) -> str:
    """`lossary/index.py`, which `import lossary` reads."""
    return tables(
        "Where each loss and penalty is defined, and what each family of losses is for.",
        LOSSES={name: each.cls.__module__ for name, each in losses.items()},
        PENALTIES={name: each.cls.__module__ for name, each in penalties.items()},
        FAMILIES=families(losses),
    )


def names(losses: dict[str, Defined]) -> str:
    """`lossary/names.py`."""
    from lossary import catalogue

    found = catalogue.names([each.cls for each in losses.values()])
    of: dict[str, list[str]] = {}
    for name, cls in sorted(found.items(), key=lambda x: (x[1].__name__, x[0])):
        of.setdefault(cls.__name__, []).append(name)
    # One text for each loss: thousands of texts would take longer to load than to take these apart.
    about = "Every name that leads to a loss, as `catalogue.folded` writes it."
    module = tables(about, _OF={loss: " ".join(names) for loss, names in of.items()})
    noted = module.replace("\n", "\n# ruff: noqa: E501\n", 1)
    return noted + "\nNAMES = {name: loss for loss, names in _OF.items() for name in names.split()}\n"


def tables(about: str, **entries: dict[str, str]) -> str:
    """A module that has these dictionaries."""
    lines = [HEADER, f'"""{about}"""\n']
    for title, its in entries.items():
        lines.append("\n".join([f"{title} = {{", *(f'    "{key}": "{entry}",' for key, entry in its.items()), "}\n"]))
    return "\n".join(lines)


def public(definitions: dict[str, Defined]) -> str:
    """`lossary/__init__.pyi`: what `from lossary import …` finds."""
    from lossary import PUBLIC, SUBMODULES

    homes = {name: each.cls.__module__ for name, each in definitions.items()} | PUBLIC
    lines = [f"from {module} import {name} as {name}" for name, module in sorted(homes.items(), key=lambda x: x[::-1])]
    lines += [f"from lossary import {name} as {name}" for name in sorted(SUBMODULES)]
    return HEADER + "\n" + "\n".join(lines) + "\n\n__version__: str\n"


def host_stub(host: str, losses: dict[str, Defined]) -> str:
    """The stub of one host: its hand-written part, as its module says in STUB, and a class for each loss."""
    source = ast.parse((PACKAGE / f"{host}.py").read_text())
    constants = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("STUB")
    }
    given = "import collections.abc\nimport lossary.define.parameters\n"  # the types that tables are written in
    lines = [HEADER, given + constants["STUB"].strip() + "\n"]
    for name, each in losses.items():
        parameters = signature(each.node, constants["STUB_OPTIONS"], constants.get("STUB_DEFAULTS", {}))
        lines.append(f"class {name}({constants['STUB_BASE']}):")
        lines.append(f"    def __init__({parameters}) -> None: ...")
    return "\n".join(lines) + "\n"


def main() -> int:
    if not (PACKAGE / "index.py").exists():
        (PACKAGE / "index.py").write_text(index({}, {}))  # lossary itself imports it
    losses, penalties = definitions(PACKAGE / "losses", "Loss"), definitions(PACKAGE / "penalties", "Penalty")
    wanted = {"index.py": index(losses, penalties), "names.py": names(losses)}
    wanted |= {"__init__.pyi": public(losses | penalties)} | {
        f"{host}.pyi": host_stub(host, losses) for host in hosts()
    }
    stale = [name for name, text in wanted.items() if _read(PACKAGE / name) != text]
    if "--check" in sys.argv:
        for name in stale:
            print(f"src/lossary/{name} is stale: run `make index`")
        return bool(stale)
    for name in stale:
        (PACKAGE / name).write_text(wanted[name])
        print(f"wrote src/lossary/{name}")
    return 0


def _read(path: pathlib.Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    sys.exit(main())
