"""The page: one file that opens without a network, made from the document."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from importlib import resources
from typing import Any, final

import jinja2
import plotly.offline
from markupsafe import Markup, escape

from lossary.compare.report import words
from lossary.compare.report.charts import charts, label, references

_STATEMENTS = 2  # verdicts that the answer begins with


@final
@dataclasses.dataclass(frozen=True)
class Cell:
    """A score as a table shows it, and what it is sorted by."""

    text: str = "–"
    deviation: str = ""
    value: str = ""  # sorted last where empty


def page(document: dict[str, Any]) -> str:
    """The whole page. Whatever comes from the data is text: in the markup, in the charts and in the scripts."""
    drawn = charts(document)
    code = Markup(_asset("page.js"))  # noqa: S704  # ours; data reach it as JSON in an element of its own
    library = Markup(plotly.offline.get_plotlyjs())  # noqa: S704  # plotly's own
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"label": label, "number": words.number, "percent": percent, "p": words.p_value}
    environment.filters |= {"breakable": breakable, "options": options}
    unit = _power(document)
    return environment.from_string(_asset("page.html.jinja")).render(
        document=document,
        charts=drawn,
        figures={name: chart.as_dict() for name, chart in drawn.items()},
        metrics=document["metrics"],
        references=references,
        statements=document["answer"]["sentences"][:_STATEMENTS],
        others=document["answer"]["sentences"][_STATEMENTS:],
        cell=lambda scores, metric: cell(scores, metric, unit),
        titled=lambda metric: _titled(metric, document["data"]["target"], unit),
        gain=lambda value, metric: gain(value, metric, unit),
        style=Markup(_asset("page.css")),  # noqa: S704  # ours
        scripts=[library, code],
        policy=_policy(library, code),
    )


def cell(scores: dict[str, Any] | None, metric: dict[str, Any], power: int) -> Cell:
    """Mean and spread."""
    if scores is None:
        return Cell()
    factor = _factor(metric, power)
    mean, deviation = words.spread(factor * scores["mean"], factor * scores["deviation"])
    return Cell(mean, deviation, repr(scores["mean"]))


def gain(value: float, metric: dict[str, Any], power: int) -> str:
    """A difference, with its sign."""
    scaled = value * _factor(metric, power)
    return f"{scaled:+.{words.digits(scaled)}f}".replace("-", "−")


def breakable(name: str) -> Markup:
    """A loss, with a place to break the line before its hyper-parameters."""
    return escape(label(name)).replace("(", Markup("<wbr>("))


def options(sentence: str) -> Markup:
    """A sentence, with the command's options in one piece."""
    return Markup(re.sub(r"(--[a-z-]+)", r"<code>\1</code>", str(escape(sentence))))  # noqa: S704  # escaped before


def percent(share: float) -> str:
    """A share in per cent."""
    return f"{100 * share:.1f} %"


def _titled(metric: dict[str, Any], target: str, power: int) -> str:
    if metric["percent"]:
        return f"{metric['title']} %"
    return f"{metric['title']} (1e{power} {target})" if power and metric["in_target_unit"] else str(metric["title"])


def _power(document: dict[str, Any]) -> int:
    constants = document["references"]["best_constant"]
    in_unit = [metric["name"] for metric in document["metrics"] if metric["in_target_unit"]]
    return words.power(constants[name]["mean"] for name in in_unit if constants[name] is not None)


def _factor(metric: dict[str, Any], power: int) -> float:
    return 100.0 if metric["percent"] else 10.0**-power if metric["in_target_unit"] else 1.0


def _policy(*scripts: str) -> str:
    """What a browser may run and fetch: these very scripts, and nothing from anywhere."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
