"""A rule: one function, one promise that a loss must keep; and what it says where the promise is broken."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, final

from lossary.errors import UnknownNameError

if TYPE_CHECKING:
    from lossary.check.rulebook.tags import Tag
    from lossary.check.subject.subject import Subject

Severity = Literal["error", "warning"]

# What the first digit of a code stands for, and the folder of its rules.
FAMILIES = {
    "0": ("running", "Whether it runs at all"),
    "1": ("shapes", "Shapes, batches, reduction"),
    "2": ("edges", "Infinities, NaN, edges"),
    "3": ("precision", "Precision and dtypes"),
    "4": ("gradients", "Gradients"),
    "5": ("meaning", "Meaning"),
    "6": ("engineering", "Engineering"),
}


@final
@dataclasses.dataclass(frozen=True)
class Failure:
    """A broken promise.

    Args:
        message: what happened, on one line, with the numbers: "(4, 1) against (4,) gave 16 losses, not 4".
        code: statements that show it, at most two lines, the last a `print`; made by `Subject.code`. The line that
            imports the framework and the loss is put before them, and they are run for what they print.
        help: the remedy for this very failure, where it is more than the rule's own.
        severity: where it is not the rule's own.
    """

    message: str
    code: str = ""
    help: str = ""
    severity: Severity | None = None


Check = Callable[["Subject"], "Failure | None"]


@final
@dataclasses.dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with a loss.

    Its `function` returns a `Failure`, or None where the loss keeps the promise. What the loss raises in it where it
    must not is a failure, too.
    """

    code: str
    function: Check
    severity: Severity
    needs: tuple[Tag, ...]
    remedy: str
    wrong: str
    right: str
    seen: tuple[str, ...]
    thorough: bool

    @property
    def name(self) -> str:
        """As people write it: "silent-broadcast"."""
        return self.function.__name__.replace("_", "-")

    @property
    def promise(self) -> str:
        """The contract, in one sentence."""
        return " ".join(inspect.getdoc(self.function).split("\n\n")[0].split())  # type: ignore[union-attr]  # has one

    @property
    def bug(self) -> str:
        """What goes wrong where the promise is broken, in a paragraph or two."""
        return inspect.getdoc(self.function).partition("\n\n")[2].strip()  # type: ignore[union-attr]  # has one

    @property
    def family(self) -> str:
        return FAMILIES[self.code[3]][1]

    def missing(self, subject: Subject) -> str | None:
        """Why the rule does not apply to this loss; None where it does."""
        return next((tag.why_not for tag in self.needs if not tag.holds(subject)), None)


def rule(
    code: str,
    *,
    severity: Severity,
    remedy: str,
    wrong: str,
    right: str,
    seen: tuple[str, ...],
    needs: tuple[Tag, ...] = (),
    thorough: bool = False,
) -> Callable[[Check], Rule]:
    """Make a rule of a function, whose docstring begins with the promise and goes on with the bug.

    Args:
        code: "LSY101"; the first digit is the family.
        severity: "error" for a wrong number, gradient or shape on legitimate input; "warning" for leniency with bad
            input and for what costs time or digits.
        remedy: what to do, in a sentence.
        wrong: a loss that breaks the promise, as a file that defines `loss`; the rule must find it.
        right: the same loss as it should be; the rule must be silent.
        seen: where it bit somebody: "pytorch/pytorch#16045: what happened".
        needs: what a loss must be or have for the rule to make sense.
        thorough: slow, and left out unless asked for.
    """

    def decorator(function: Check) -> Rule:
        sides = inspect.cleandoc(wrong), inspect.cleandoc(right)
        return Rule(code, function, severity, needs, remedy, *sides, seen, thorough)

    return decorator


@functools.cache
def rules() -> tuple[Rule, ...]:
    """Every rule there is, in the order of the codes: what the files in `rules/` define, one each."""
    import lossary.check.rules as home

    rules = [
        each
        for module in pkgutil.walk_packages(home.__path__, f"{home.__name__}.")
        for each in vars(importlib.import_module(module.name)).values()
        if isinstance(each, Rule)
    ]
    return tuple(sorted(rules, key=lambda each: each.code))


def find(name: str) -> Rule:
    """The rule of that code or name.

    Raises:
        UnknownNameError: there is none.
    """
    for each in rules():
        if name.upper() == each.code or name.lower().replace("_", "-") == each.name:
            return each
    raise UnknownNameError(f"there is no rule {name!r}.", hint="lossary show rules lists all of them.")


def select(chosen: Iterable[str], ignored: Iterable[str], *, thorough: bool) -> tuple[Rule, ...]:
    """The rules that begin with one of the codes `chosen` (all, where none is), without those `ignored`.

    A slow rule takes part if `thorough`, or if it is chosen by its full code or its name.

    Raises:
        UnknownNameError: a code or name that no rule has.
    """
    chosen, ignored = tuple(chosen), tuple(ignored)

    def matches(each: Rule, word: str) -> bool:
        return each.code.startswith(word.upper()) or each.name == word.lower().replace("_", "-")

    for word in (*chosen, *ignored):
        if not any(matches(each, word) for each in rules()):
            find(word)
    exactly = {find(word).code for word in chosen if any(word.upper() == e.code or word == e.name for e in rules())}
    return tuple(
        each
        for each in rules()
        if (not chosen or any(matches(each, word) for word in chosen))
        and not any(matches(each, word) for word in ignored)
        and (thorough or not each.thorough or each.code in exactly)
    )
