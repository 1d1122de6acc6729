"""Rewrite the catalogue's pages, docs/catalogue/, from the classes of the losses.

python scripts/make_catalogue.py            rewrite
python scripts/make_catalogue.py --check    fail if a page is stale
"""

from __future__ import annotations

import sys

import pages
from lossary import catalogue
from lossary.define.loss import Loss
from lossary.define.parameters import parameters_of
from lossary.define.twin import Departure
from lossary.describe import listing, show
from lossary.describe.formula import formula
from lossary.index import FAMILIES

HEADER = "<!-- Written by `make index` from the catalogue; do not edit. -->\n"


def page(loss: Loss) -> str:
    """One loss: what it is, what is true of it, when to take it, and what it is called elsewhere."""
    parts = [
        HEADER,
        f"# {type(loss).__name__}\n",
        f"{show.summary(loss)}\n",
        f"*{show.kind(loss)} · estimates {show.estimated(loss)}*\n",
        f"$$\n{formula(loss).latex}\n$$\n",
        "## When to take it\n",
        f"Choosing: {loss.choosing}.\n",
        pages.bullets("Strengths", loss.strengths),
        pages.bullets("Weaknesses", loss.weaknesses),
        f"The last layer: {loss.output_layer}. {_inputs(loss)}.\n",
        _hyper_parameters(loss),
        "## Claims\n",
        f"At `{loss!r}`, after an attempt to refute each of them:\n",
        pages.table(
            ("claim", "evidence"), [(str(found.claim), _evidence(str(found))) for found in show.examined(loss)]
        ),
        "## In each framework\n",
        "```python\nimport lossary\n\n" + "\n".join(show.code(loss).values()) + "\n```\n",
        _twins(loss),
        f"Elsewhere it is called {', '.join(loss.foreign_names)}; `lossary.get` knows these names.\n"
        if loss.foreign_names
        else "",
        pages.bullets("Sources", loss.sources),
    ]
    return "\n".join(part for part in parts if part)


def contents(losses: list[Loss]) -> str:
    """The table of each family."""
    families = listing.by_family(losses)
    parts = [
        HEADER,
        "# The catalogue\n",
        "A page for each loss, at its defaults. In a terminal: `lossary list` and `lossary show NAME`.\n",
        " · ".join(f"[{family}](#{family}) {len(its)}" for family, its in families.items()) + "\n",
    ]
    for family, its in families.items():
        rows = [
            (f"[{type(loss).__name__}]({file_name(loss)})", loss.task, loss.estimates, listing.shape(loss))
            for loss in its
        ]
        parts += [f"## {family}\n", f"{FAMILIES[family]}\n", pages.table(("loss", "task", "estimates", "shape"), rows)]
    return "\n".join(parts)


def file_name(loss: Loss) -> str:
    """The name of the loss's own file, as in src/lossary/losses/."""
    return type(loss).__module__.rpartition(".")[2] + ".md"


def _inputs(loss: Loss) -> str:
    if loss.paired:
        return f"Predictions: {loss.prediction.wanted}. Targets: {loss.target.wanted}"
    return "Inputs: " + "; ".join(f"`{name}`, {domain.wanted}" for name, domain in loss.domains.items())


def _hyper_parameters(loss: Loss) -> str:
    known = parameters_of(loss)
    if not known:
        return ""
    rows = [(f"`{name}`", f"`{each.default!r}`", each.wanted, each.doc) for name, each in known.items()]
    return "## Hyper-parameters\n\n" + pages.table(("name", "default", "must be", "what it is"), rows)


def _twins(loss: Loss) -> str:
    rows = [
        (
            f"`{twin.call}`",
            show.plus_offset(f"{twin.factor:g}", twin),
            ", ".join([*(f"`{name}={value!r}`" for name, value in twin.when.items()), *show.twin_terms(twin)]),
            _departure(twin.departs),
        )
        for twin in loss.same_as
    ]
    columns = ("call", "factor", "when", "not the same")
    return "The same elsewhere, times a factor:\n\n" + pages.table(columns, rows) if rows else ""


def _departure(departs: Departure | None) -> str:
    """What it does at the edge, with the point that shows it."""
    if departs is None:
        return ""
    theirs = f"raises `{departs.theirs.__name__}`" if isinstance(departs.theirs, type) else f"`{departs.theirs:g}`"
    return f"{departs.rule}: {theirs} at prediction `{departs.prediction}`, target `{departs.target}`"


def _evidence(found: str) -> str:
    return found.partition(": ")[2]


def main() -> int:
    losses = [cls() for cls in catalogue.classes()]
    return pages.update("catalogue", {"README.md": contents(losses)} | {file_name(loss): page(loss) for loss in losses})


if __name__ == "__main__":
    sys.exit(main())
