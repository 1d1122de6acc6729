"""Rewrite what is generated from the catalogue: the public index, and the typed stubs of the package and its hosts.

python scripts/make_index.py            rewrite
python scripts/make_index.py --check    fail if a file is stale
"""

from __future__ import annotations

import ast
import pathlib
import sys
import typing

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "src" / "lossary"
sys.path.insert(0, str(ROOT / "src"))

HEADER = "# Written by `make index` from the catalogue; do not edit.\n"
# The order in which tasks stand in the catalogue; folders that are not named here follow.
FOLDERS = ["regression", "binary", "multiclass", "divergence"]


def definitions(folder: pathlib.Path, bases: set[str]) -> dict[str, tuple[str, ast.ClassDef]]:
    """Class name → (module, definition) of every class below `folder` that derives from one of `bases`."""
    found = {}
    for path in sorted(folder.rglob("*.py"), key=_order):
        module = "lossary." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id in bases for b in node.bases):
                found[node.name] = (module, node)
    return found


def _order(path: pathlib.Path) -> tuple[int, str]:
    folder = path.parent.name
    return (FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS), str(path))


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
    from lossary import parameter

    types = typing.get_args(getattr(parameter, kind, None))
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


def index(losses: dict[str, tuple[str, ast.ClassDef]], penalties: dict[str, tuple[str, ast.ClassDef]]) -> str:
    lines = [HEADER, '"""Where each loss and penalty is defined."""\n']
    for title, found in (("LOSSES", losses), ("PENALTIES", penalties)):
        entries = [f'    "{name}": "{module}",' for name, (module, _) in found.items()]
        lines.append("\n".join([f"{title} = {{", *entries, "}\n"]))
    return "\n".join(lines)


def public(losses: dict[str, tuple[str, ast.ClassDef]], penalties: dict[str, tuple[str, ast.ClassDef]]) -> str:
    """`lossary/__init__.pyi`: what `from lossary import …` finds."""
    from lossary import PUBLIC, SUBMODULES

    homes = {name: module for name, (module, _) in (losses | penalties).items()} | PUBLIC
    lines = [f"from {module} import {name} as {name}" for name, module in sorted(homes.items(), key=lambda x: x[::-1])]
    lines += [f"from lossary import {name} as {name}" for name in sorted(SUBMODULES)]
    return HEADER + "\n" + "\n".join(lines) + "\n\n__version__: str\n"


def host_stub(host: str, losses: dict[str, tuple[str, ast.ClassDef]]) -> str:
    """The stub of one host: its hand-written part, as its module says in STUB, and a class for each loss."""
    source = ast.parse((PACKAGE / f"{host}.py").read_text())
    constants = {
        ast.unparse(node.targets[0]): ast.literal_eval(node.value)
        for node in source.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("STUB")
    }
    given = "import collections.abc\nimport lossary.parameter\n"  # the types that tables are written in
    lines = [HEADER, given + constants["STUB"].strip() + "\n"]
    for name, (_, node) in losses.items():
        parameters = signature(node, constants["STUB_OPTIONS"], constants.get("STUB_DEFAULTS", {}))
        lines.append(f"class {name}({constants['STUB_BASE']}):")
        lines.append(f"    def __init__({parameters}) -> None: ...")
    return "\n".join(lines) + "\n"


def main() -> int:
    losses = definitions(PACKAGE / "losses", {"Pointwise", "Rowwise", "Batchwise"})
    penalties = definitions(PACKAGE / "penalties", {"Penalty"})
    (PACKAGE / "index.py").write_text(index(losses, penalties)) if not (PACKAGE / "index.py").exists() else None
    wanted = {"index.py": index(losses, penalties), "__init__.pyi": public(losses, penalties)}
    for host in ("torch", "keras", "jax", "sklearn"):
        if (PACKAGE / f"{host}.py").exists():
            wanted[f"{host}.pyi"] = host_stub(host, losses)
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
