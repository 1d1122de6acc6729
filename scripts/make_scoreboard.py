"""Ask the rules of `lossary check` of the losses of PyTorch, Keras, optax and scikit-learn, and write down what they
find: docs/scoreboard.json, and docs/scoreboard.md made of it.

python scripts/make_scoreboard.py                 ask (some minutes), and write both
python scripts/make_scoreboard.py --only Keras    ask only its losses again
python scripts/make_scoreboard.py --page          write only the page, of the findings that are there
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import importlib.metadata
import inspect
import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import rich.progress

import pages
from lossary import catalogue
from lossary.check.inference import conventions, find, infer
from lossary.check.rulebook.rule import Rule, rules
from lossary.check.run.ask import FIRST, TIME_LIMIT, ask, in_turn
from lossary.define.parameters import parameters_of
from lossary.errors import LossaryError

# How the catalogue's hyper-parameters of one number are called, here and elsewhere: no array has such a name.
SETTINGS = (
    {
        name
        for cls in catalogue.classes()
        for known, each in parameters_of(cls).items()
        if isinstance(each.default, float)
        for name in (known, *each.foreign)
    }
    - conventions.PREDICTION
    - conventions.TARGET
)
ANSWERS = pages.DOCS / "scoreboard.json"
PAGE = pages.DOCS / "scoreboard.md"


class Framework(NamedTuple):
    """Whose losses, where they are, and what is installed for them."""

    title: str
    module: str
    distributions: tuple[str, ...]


FRAMEWORKS = (
    Framework("PyTorch", "torch.nn.modules.loss", ("torch",)),
    Framework("Keras", "keras.losses", ("keras", "tensorflow-cpu")),
    Framework("optax", "optax.losses", ("optax", "jax")),
    Framework("scikit-learn", "sklearn.metrics", ("scikit-learn", "numpy")),
)


# ── which losses there are ───────────────────────────────────────────────────────────────────────────────────────────


def losses(framework: Framework) -> Iterator[tuple[str, Any]]:
    """The public functions and classes of the module that take a pair, by name."""
    module = importlib.import_module(framework.module)
    for name in sorted(getattr(module, "__all__", dir(module))):
        thing = getattr(module, name)
        pair = inspect.isclass(thing) or (callable(thing) and len(inspect.signature(thing).parameters) > 1)
        averages = name.endswith("_loss") or (name.startswith("mean_") and name.endswith(("_error", "_deviance")))
        # A module of metrics has much else; only means of losses are taken from it.
        if not name.startswith("_") and pair and (averages or not framework.module.endswith("metrics")):
            yield name, thing


def unfit(thing: Any) -> str:
    """Why it is no loss to be asked; "" where nothing speaks against it."""
    if getattr(thing, "__deprecated__", None):
        return "deprecated"
    if thing.__name__.startswith("MultiLabel"):
        return "each row has several labels, which the rules have no inputs for"
    if inspect.isclass(thing):
        return "what other losses are derived from" if thing.__name__ == "Loss" else ""
    first = list(inspect.signature(thing).parameters.values())[:2]
    if any(each.default is not each.empty and conventions.role(each.name) is None for each in first):
        return "it takes no pair of arrays"
    for each in first:
        if each.annotation in (float, "float") or each.name in SETTINGS:
            return f"its argument {each.name} is one number"
    return ""


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def asked(framework: Framework, progress: rich.progress.Progress) -> dict[str, Any]:
    """What the rules say of a framework's losses; findings only with reproducers that print what is said."""
    found: list[dict[str, Any]] = []
    left_out = []
    everything = list(losses(framework))
    task = progress.add_task(framework.title, total=len(everything))
    for name, thing in everything:
        reason = unfit(thing)
        try:
            loss = None if reason else _loss(framework.module, name)
        except LossaryError as error:
            loss, reason = None, str(error).splitlines()[0]
        if loss is not None and loss["rules"][FIRST] == "failed":  # it was taken for what it is not
            reason = next(each["message"] for each in loss["findings"] if each["code"] == FIRST)
        elif loss is not None:
            found.append(loss)
        left_out += [{"name": name, "reason": reason}] if reason else []
        progress.advance(task)
    confirm(found)
    versions = {name: importlib.metadata.version(name) for name in framework.distributions}
    return {"title": framework.title, "versions": versions, "losses": found, "left_out": left_out}


def _loss(module: str, name: str) -> dict[str, Any]:
    public = {"torch.nn.modules.loss": "torch.nn"}.get(module, module)
    loss = find.losses(f"{public}:{name}")[0]
    subject = infer.subject(loss.loss, source=loss.source, imports=loss.imports)
    chosen = tuple(rule for rule in rules() if not rule.thorough)
    outcomes = list(in_turn(chosen, lambda rule: ask(rule, subject, TIME_LIMIT)))
    return {
        "name": subject.source,
        "inferred": list(subject.inferred),
        "rules": {each.rule: "passed" if each.status == "broken" else each.status for each in outcomes},
        "findings": [
            {
                "code": finding.code,
                "severity": finding.severity,
                "message": finding.message,
                "reproducer": finding.reproducer,
                "printed": finding.observed,
            }
            for finding in (each.finding for each in outcomes if each.status == "failed")
            if finding is not None
        ],
    }


def confirm(found: list[dict[str, Any]]) -> None:
    """Keep the findings whose reproducers print in a process of their own what they printed here, twice over; say
    which others there are."""
    everything = [finding for loss in found for finding in loss["findings"] if finding["reproducer"]]
    once, again = (printed([finding["reproducer"] for finding in everything]) for _ in range(2))
    for finding, first, second in zip(everything, once, again, strict=True):
        # One that ends in an error shows nothing but that.
        error = first.partition(":")[0]
        broke = error.endswith("Error") and error not in finding["message"]
        finding["confirmed"] = not broke and first == second == finding["printed"]
    for loss in found:
        for finding in loss["findings"]:
            if not finding.pop("confirmed", False):
                print(f"not confirmed: {loss['name']} {finding['code']} {finding['message']}", file=sys.stderr)
                loss["rules"][finding["code"]] = "unconfirmed"
        loss["findings"] = [each for each in loss["findings"] if loss["rules"][each["code"]] == "failed"]


def printed(reproducers: list[str]) -> list[str]:
    """What they print in another process."""
    script = pages.DOCS.parent / "scripts" / "reproduce.py"
    done = subprocess.run(
        [sys.executable, script], input=json.dumps(reproducers), capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────

ABOUT = """\
<!-- Written by `make scoreboard`; do not edit. -->

# Scoreboard

What the rules of [`lossary check`](check.md) find in the losses of four libraries that we all build on. Every loss was
asked every rule that applies to it, as it comes: with its default arguments, on a CPU. A finding is a promise that one
could expect a loss to keep, and an input with which it was not kept; some are deliberate, and documented by the library
(a clipped probability, a mean that is NaN when nothing is left to average). Where the losses of different libraries
disagree, none of them need be wrong. The libraries are large, careful and old, and this page is no ranking: it is the
list of what to know before relying on an edge.

Each finding comes with statements that can be pasted, and with what they printed in a process of their own; a test runs
them all again. What was not reproduced is not on this page.
"""
MARKS = {"passed": "", "skipped": "·", "unconfirmed": ""}
LEGEND = (
    "✗ a wrong number, gradient or shape · ! leniency, lost digits · blank: kept · a dot: the rule does not apply\n"
)


def page(board: dict[str, Any]) -> str:
    """The document, of the findings."""
    known = {rule.code: rule for rule in rules()}
    versions = ", ".join(
        f"{name} {version}" for each in board["frameworks"] for name, version in each["versions"].items()
    )
    parts = [
        ABOUT,
        f"Measured on {board['date']} with {versions}; Python {board['python']}, {board['machine']}.\n",
        pages.table(
            ("", "losses asked", "rules that apply, on average", "errors", "warnings"),
            [_count(each) for each in board["frameworks"]],
        ),
    ]
    for framework in board["frameworks"]:
        parts += [f"## {framework['title']}\n", _matrix(framework), LEGEND, *_findings(framework, known)]
        if framework["left_out"]:
            listed = "\n".join(f"- `{each['name']}`: {each['reason']}" for each in framework["left_out"])
            parts.append(f"Left out:\n\n{listed}\n")
    return "\n".join(parts)


def _count(framework: dict[str, Any]) -> tuple[str, ...]:
    found = [finding["severity"] for loss in framework["losses"] for finding in loss["findings"]]
    applied = [sum(status != "skipped" for status in loss["rules"].values()) for loss in framework["losses"]]
    average = f"{sum(applied) / max(len(applied), 1):.0f}"
    return framework["title"], str(len(applied)), average, str(found.count("error")), str(found.count("warning"))


def _matrix(framework: dict[str, Any]) -> str:
    """Losses × the rules that found something in one of them."""
    codes = sorted({finding["code"] for loss in framework["losses"] for finding in loss["findings"]})
    rows = []
    for loss in framework["losses"]:
        severity = {finding["code"]: finding["severity"] for finding in loss["findings"]}
        marks = [
            {"error": "✗", "warning": "!"}.get(
                severity.get(code, ""), MARKS.get(loss["rules"].get(code, "skipped"), "")
            )
            for code in codes
        ]
        rows.append((f"`{loss['name']}`", *marks))
    return pages.table(("", *(_link(code, code.removeprefix("LSY")) for code in codes)), rows)


def _link(code: str, text: str) -> str:
    return f"[{text}](rules/{code}.md)"


def _findings(framework: dict[str, Any], known: dict[str, Rule]) -> Iterator[str]:
    """Rule by rule what was promised, and what happened where."""
    everything = [(finding, loss) for loss in framework["losses"] for finding in loss["findings"]]
    for code in sorted({finding["code"] for finding, _ in everything}):
        rule = known[code]
        yield f"### {_link(code, code)} {rule.name}\n\nPromised: {rule.promise}\n"
        for finding, loss in everything:
            if finding["code"] == code:
                evidence = f"```py\n{finding['reproducer']}\n# {finding['printed']}\n```"
                yield f"- `{loss['name']}`: {finding['message']}\n\n{_indented(evidence)}\n"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/scoreboard.md.")
    parser.add_argument("--only", choices=[each.title for each in FRAMEWORKS], help="ask only these losses again")
    parser.add_argument("--page", action="store_true", help="write only the page, of the findings that are there")
    chosen = parser.parse_args()
    if chosen.only:
        framework = next(each for each in FRAMEWORKS if each.title == chosen.only)
        with rich.progress.Progress(transient=True) as progress:
            answers = asked(framework, progress)
        board = json.loads(ANSWERS.read_text()) if ANSWERS.exists() else {"frameworks": []}
        kept = [each for each in board["frameworks"] if each["title"] != framework.title] + [answers]
        board = {
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "python": platform.python_version(),
            "machine": f"{platform.system()} {platform.machine()}",
            "lossary": importlib.metadata.version("lossary"),
            "frameworks": sorted(kept, key=lambda each: [known.title for known in FRAMEWORKS].index(each["title"])),
        }
        ANSWERS.write_text(json.dumps(board, indent=1, ensure_ascii=False) + "\n")
    elif not chosen.page:
        for each in FRAMEWORKS:  # a process each: what frameworks keep in memory adds up
            subprocess.run([sys.executable, __file__, "--only", each.title], check=True)
    PAGE.write_text(page(json.loads(ANSWERS.read_text())))


if __name__ == "__main__":
    main()
