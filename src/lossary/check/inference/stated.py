"""A loss with what is stated of it: properties and a formula in words, beside what `infer` finds out."""

from __future__ import annotations

import ast
import dataclasses
import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from lossary.check.inference import infer
from lossary.check.inference.formula import Formula
from lossary.define import spelling
from lossary.define.claims.claim import Claim
from lossary.define.loss import Loss
from lossary.errors import ParameterError

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject


def subject(loss: Any, *, claims: Iterable[Claim | str] | None = None, formula: Any = None, **facts: Any) -> Subject:
    """The loss with all that is known of it; facts that are None are not stated.

    Raises:
        ParameterError: no such property, or a formula that nobody can read.
    """
    held = tuple(each if isinstance(each, Claim) else claim(each) for each in claims or ())
    expression = _read(formula) if isinstance(formula, str) else formula
    subject = infer.subject(loss, **{name: value for name, value in facts.items() if value is not None})
    if expression is not None:
        written = Formula(expression, subject.prediction, subject.target)
        subject = dataclasses.replace(subject, definition=written, factor=1.0)
    return dataclasses.replace(subject, claimed_properties=(*subject.claimed_properties, *held))


def instead(subject: Subject) -> str:
    """The code of the loss of the catalogue that computes the same; "" where there is none, or it is that."""
    definition = subject.definition
    if not isinstance(definition, Loss) or subject.host == "lossary":
        return ""
    hosts = ("torch", "keras", "jax")
    code = spelling.at_home(subject.host, definition) if subject.host in hosts else f"lossary.{definition!r}"
    return code if subject.factor == 1.0 else f"{code}, times {subject.factor:.6g},"


def claim(word: str) -> Claim:
    """The property of that name: "convex", "strongly-convex=0.5", "lipschitz=1".

    Raises:
        ParameterError: there is none, or its number is missing.
    """
    from lossary.describe.listing import flags

    name, _, number = word.partition("=")
    kinds = flags()
    kind = kinds.get(name.strip().lower().replace("_", "-").replace(" ", "-"))
    if kind is None:
        close = difflib.get_close_matches(name, kinds, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(kinds)}."
        raise ParameterError(f"there is no property {name!r} to hold a loss to.", hint=hint)
    numbers = [each.name for each in dataclasses.fields(kind) if each.default is dataclasses.MISSING]
    if bool(numbers) != bool(number):
        how = f"{name}=NUMBER, its {numbers[0]}" if numbers else f"{name}, without a number"
        raise ParameterError(f"the property is written {how}.", received=f"{word!r}.")
    try:
        return kind(*(float(number) for _ in numbers))
    except ValueError:
        raise ParameterError(f"the {numbers[0]} of {name} must be a number.", received=f"{number!r}.") from None


def _read(formula: str) -> Any:
    """What "log(1 + exp(-p * y))" says, as a function of the operations, the prediction p and the target y.

    Raises:
        ParameterError: it is no expression.
    """
    try:
        code = compile(ast.parse(formula.strip(), mode="eval"), "the formula", "eval")
    except SyntaxError as error:
        raise ParameterError(f"the formula is no expression: {error.msg}.", received=f"{formula!r}.") from None

    def expression(xp: Any, p: Any, y: Any) -> Any:
        operations = {operation: getattr(xp, operation, None) for operation in code.co_names}
        unknown = [
            operation for operation, meaning in operations.items() if meaning is None and operation not in ("p", "y")
        ]
        if unknown:
            raise ParameterError(f"the formula has no word {unknown[0]!r}.", hint="p, y, and such as log, exp, abs.")
        return eval(code, {"__builtins__": {}}, {**operations, "p": p, "y": y})  # noqa: S307  # the user's own command line

    return expression
