"""What the rules found: as data, as JSON, as annotations of a pull request; `screen` writes it as text."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, final

from lossary.check.run.ask import Finding, Outcome, contained

if TYPE_CHECKING:
    from lossary.check.instruments.envelope import Envelope
    from lossary.check.subject.subject import Subject

FORMAT = 1  # of the JSON; see schema.json


@final
@dataclasses.dataclass(frozen=True)
class Precision:
    """How exact a loss is, in each dtype and for inputs of each size: its numerical envelope, ready to be shown.

    Args:
        text: a table, at 80 columns.
        picture: the same as a drawing, SVG.
        data: the numbers.
    """

    text: str
    picture: str
    data: Mapping[str, Any]

    @classmethod
    def of(cls, subject: Subject) -> Precision | None:
        """Of a loss whose formula is known; None for all others."""
        from lossary.check.instruments.envelope import envelope

        with contained():
            measurement: Envelope | None = envelope(subject)
        return None if measurement is None else cls(measurement.text, measurement.svg, measurement.as_json())


@final
@dataclasses.dataclass(frozen=True)
class LossReport:
    """What came of one loss.

    Args:
        name: as people write it.
        path, line: where it is written; "" and 0 where nobody knows.
        inferred: what it is, as far as it was found out by looking.
        outcomes: one for each rule, in their order.
        seconds: how long that took.
        note: why some rules were not tried; "" where all were.
        instead: the code of the catalogue's loss that computes the same; "" where there is none.
        precision: how exact it is, and where it can be used, if that was asked for and its formula is known.
    """

    name: str
    path: str
    line: int
    inferred: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    note: str = ""
    instead: str = ""
    precision: Precision | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The broken promises, errors first; those that were expected are not among them."""
        findings = [each.finding for each in self.outcomes if each.finding is not None and each.status != "expected"]
        return tuple(sorted(findings, key=lambda finding: (finding.severity, finding.code)))

    @property
    def applied(self) -> int:
        """How many rules were asked."""
        return sum(each.status != "skipped" for each in self.outcomes)


@final
@dataclasses.dataclass(frozen=True)
class Report:
    """What came of all losses. `str(report)` is what the command prints.

    Args:
        losses: one by one, in the order they were given.
        seconds: how long everything took.
        seed: of the random inputs.
    """

    losses: tuple[LossReport, ...]
    seconds: float
    seed: int = 0

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every broken promise, loss by loss."""
        return tuple(finding for loss in self.losses for finding in loss.findings)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Wrong numbers, gradients or shapes for legitimate input."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Leniency with bad input, lost digits, slowness."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    @property
    def unchecked(self) -> tuple[LossReport, ...]:
        """Losses that no rule was asked of; their notes say why."""
        return tuple(loss for loss in self.losses if not loss.outcomes)

    @property
    def ok(self) -> bool:
        """Whether there are no errors; warnings do not count."""
        return not self.errors

    def text(self, *, verbose: bool = False, heading: Callable[[str], str] = str) -> str:
        """For people, at 80 columns.

        Args:
            verbose: also what became of the rules that found nothing.
            heading: what makes a heading stand out; nothing, in plain text.
        """
        from lossary.check.report import screen

        return screen.text(self, verbose=verbose, heading=heading)

    def __str__(self) -> str:
        return self.text()

    def as_dict(self) -> dict[str, Any]:
        """Everything, as plain data; `schema.json` beside this file says what is where."""
        import lossary

        return {
            "format": FORMAT,
            "lossary": lossary.__version__,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "losses": [dataclasses.asdict(each) for each in self.losses],
        }

    def to_json(self) -> str:
        """`as_dict` as text."""
        return json.dumps(self.as_dict(), indent=2) + "\n"

    def annotations(self) -> str:
        """A line for each finding, which GitHub shows beside the code of a pull request."""
        return "".join(f"{_annotation(finding)}\n" for finding in self.findings)


def _annotation(finding: Finding) -> str:
    place = {"file": finding.path, "line": str(finding.line)} if finding.path else {}
    parts = place | {"title": f"{finding.code} {finding.rule}"}
    properties = ",".join(f"{name}={_escaped(value, in_property=True)}" for name, value in parts.items())
    reproducer = f"\n{finding.reproducer}" if finding.reproducer else ""
    message = f"{finding.loss}: {finding.message}\npromised: {finding.promise}{reproducer}\nhelp: {finding.help}"
    return f"::{finding.severity} {properties}::{_escaped(message)}"


def _escaped(text: str, *, in_property: bool = False) -> str:
    """As GitHub wants it: one line."""
    for letter in "%\r\n" + (":," if in_property else ""):
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text
