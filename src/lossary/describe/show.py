"""What a loss says of itself, for people: the rows that `lossary show` prints and the pages of the catalogue share."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING

from lossary import kernels
from lossary.define import spelling
from lossary.define.claims.claim import closure, stated
from lossary.define.loss import Batchwise, Pointwise, Rowwise
from lossary.define.parameters import parameters_of

if TYPE_CHECKING:
    from lossary.define.claims.claim import Evidence
    from lossary.define.identity import Identity
    from lossary.define.loss import Loss
    from lossary.define.parameters import Parameter
    from lossary.define.twin import Twin

_WIDTH = 80
_LABEL = 14  # columns of the labels on the left


def page(loss: Loss, *, claims: bool = False, heading: Callable[[str], str] = str) -> str:
    """Everything a person wants to know of a loss, at 80 columns.

    Args:
        loss: at the hyper-parameters it is to be shown at.
        claims: each claim on a line of its own, with its evidence.
        heading: what makes a heading stand out; nothing, in plain text.
    """
    from lossary.describe.formula import formula

    title = repr(loss)
    lines = [heading(title) + kind(loss).rjust(_WIDTH - len(title)), *textwrap.wrap(summary(loss), _WIDTH), ""]
    lines += [f"    {line}".rstrip() for line in formula(loss).text.splitlines()] + [""]
    (estimates, *others), evidence = about(loss), ("Claims", claimed(loss, each=claims))
    runs = ("Runs", [kernels.path(loss)])
    for label, entries in [estimates, evidence, *others, runs, *code_and_sources(loss)]:
        lines += row(label, entries, heading)
    return "\n".join(lines) + "\n"


def kind(loss: Loss) -> str:
    """Its task and shape: "regression · pointwise"."""
    shape = next(base for base in (Pointwise, Rowwise, Batchwise) if isinstance(loss, base))
    return f"{loss.task} · {shape.__name__.lower()}"


def summary(loss: Loss) -> str:
    """The sentence that the class begins with."""
    return " ".join((type(loss).__doc__ or "").split("\n\n")[0].split())


def about(loss: Loss) -> list[tuple[str, list[str]]]:
    """What it is for: (label, entries)."""
    symbols = [parameter.symbol for parameter in parameters_of(loss).values() if parameter.symbol]
    choose = f"Choose {symbols[0]}" if len(symbols) == len(parameters_of(loss)) == 1 else "Choose"
    rows = [
        ("Estimates", [estimated(loss)]),
        ("Strengths", list(loss.strengths)),
        ("Weaknesses", list(loss.weaknesses)),
        (choose, [loss.choosing]),
        ("Output", [loss.output_layer]),
        *(("Target", [domain.wanted]) for name, domain in loss.domains.items() if name == "target"),
        ("Inputs", [] if loss.paired else [f"{name}: {domain.wanted}" for name, domain in loss.domains.items()]),
        ("Parameters", [described(name, parameter) for name, parameter in parameters_of(loss).items()]),
    ]
    return [(label, [entry for entry in entries if entry]) for label, entries in rows if any(entries)]


def code_and_sources(loss: Loss) -> list[tuple[str, list[str]]]:
    """Where it is found elsewhere, how it is written in each framework, and who says so: (label, entries)."""
    sources = [("Source" if len(loss.sources) == 1 else "Sources", list(loss.sources))] if loss.sources else []
    identities = [("Equals", [equal(loss, each) for each in loss.identities])] if loss.identities else []
    twins = [("Same as", twin_lines(loss))] if loss.same_as else []
    return [*identities, *twins, *((framework, [line]) for framework, line in code(loss).items()), *sources]


def equal(loss: Loss, identity: Identity) -> str:
    """What else it is, and at which hyper-parameters, where these are others: "1 / beta * Huber(beta)"."""
    factor = "" if identity.factor == "1" else f"{identity.factor} * "
    values = ", ".join(f"{name}={value!r}" for name, value in identity.when.items())
    return f"{'' if identity.applies(loss) else f'at {values}: '}{factor}{identity.other}"


def estimated(loss: Loss) -> str:
    """What minimising it estimates, as a phrase."""
    return f"the {loss.estimates}" if loss.estimates else "nothing that it claims"


def examined(loss: Loss) -> list[Evidence]:
    """What came of trying to refute each of its claims."""
    return [claim.examine(loss) for claim in stated(loss)]


def claimed(loss: Loss, *, each: bool) -> list[str]:
    """The claims, together or one by one, with what came of trying to refute them."""
    evidence = examined(loss)
    if each:
        derived = [claim for claim in closure(loss.claims) if claim not in loss.claims]
        return [*map(str, evidence), *(f"{claim}: follows from the others" for claim in derived)]
    if not evidence:
        return ["none"]
    refuted = [str(item) for item in evidence if item.refuted]
    points = min(item.points for item in evidence)
    verdict = "; ".join(refuted) if refuted else f"none refuted on {points:,} points each"
    # What is estimated has a line of its own, but for what a probability is.
    shown = " · ".join(str(claim) for claim in stated(loss) if claim.name.partition(" ")[0] != "estimates")
    return [shown, f"({verdict}; --claims shows each)"]


def described(name: str, parameter: Parameter) -> str:
    """One hyper-parameter: its default, its bounds and what it is."""
    bounds = "" if parameter.is_flag else f", {parameter.wanted}"
    return f"{name}={parameter.default!r}{bounds}: {parameter.doc}"


def twin_lines(loss: Loss) -> list[str]:
    """The same loss in other libraries; those with the same factor, conditions and departures share a line."""
    defaults = {name: parameter.default for name, parameter in parameters_of(loss).items()}
    lines: dict[str, list[str]] = {}
    for twin in loss.same_as:
        values = [f"{name}={value!r}" for name, value in twin.when.items() if value != defaults[name]]
        terms = ", ".join([f"× {plus_offset(twin_factor(twin), twin)}", *values, *twin_terms(twin)])
        lines.setdefault(terms + (f"; {twin.departs.rule}" if twin.departs else ""), []).append(twin.name)
    return [" · ".join(names) + f"   ({terms})" for terms, names in lines.items()]


def twin_terms(twin: Twin) -> list[str]:
    """What must hold beside values of hyper-parameters."""
    labels = [f"{' and '.join(twin.labels)} as labels"] if twin.labels else []
    return [f"{name} given" for name in twin.given] + labels


def twin_factor(twin: Twin) -> str:
    """What their value is to be multiplied by: a number, or the hyper-parameter at the end of the call."""
    expression = ast.parse(twin.call, mode="eval").body
    if isinstance(expression, ast.BinOp) and isinstance(expression.op, ast.Mult | ast.Div):
        multiplier = ast.unparse(expression.right)
        return multiplier if isinstance(expression.op, ast.Mult) else f"1/{multiplier}"
    minus = isinstance(expression, ast.UnaryOp) and isinstance(expression.op, ast.USub)
    return f"{-twin.factor if minus else twin.factor:g}"


def plus_offset(factor: str, twin: Twin) -> str:
    """A factor, and what is added when their value is multiplied by it."""
    return f"{factor}, then {twin.offset:+g}" if twin.offset else factor


def code(loss: Loss) -> dict[str, str]:
    """How it is made in each framework."""
    return {framework: spelling.at_home(host, loss) for framework, host in spelling.hosts(loss).items()}


def row(label: str, entries: list[str], heading: Callable[[str], str]) -> list[str]:
    """A label, and its entries to the right of it, each wrapped."""
    wrapper = textwrap.TextWrapper(
        _WIDTH - _LABEL, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    wrapped = [line for entry in entries for line in wrapper.wrap(entry)]
    first = heading(label) + " " * (_LABEL - len(label))
    return [(first if index == 0 else " " * _LABEL) + line for index, line in enumerate(wrapped)]
