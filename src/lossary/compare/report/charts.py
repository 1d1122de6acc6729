"""The pictures of the page, as plotly figures made from the document.

Colours are names of the page's own (`var(--accent)`), which its script puts in, so that they follow its theme. Names
that come with the data are escaped: plotly reads a little HTML in every label.
"""

from __future__ import annotations

import dataclasses
import html
import json
from typing import Any, final

import numpy as np
import plotly.graph_objects as go

_LINE = 15  # pixels of a line of text
_ROW = 32  # pixels for each loss of a picture with a row for each
_GOLDEN = 0.618  # multiples of it spread evenly over the unit interval, so dots do not cover one another
_FAR = 1.0  # a dot further away than so many times the spread of the better half stands at the edge
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_EPOCHS = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]  # marks of the axis
_LONGEST = 56  # characters of a name
_LONGEST_TITLE = 90
_MOST_DOTS = 100  # of a loss; more say no more, and make the file large
_ONE_LINE = 26


@final
@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of a legend."""

    group: str  # of the traces that it shows and hides
    label: str
    color: str
    dash: str
    width: float

    @property
    def pattern(self) -> str:
        """The dash as SVG has it."""
        return {"solid": "", "dash": "7 4", "dot": "2 3", "dashdot": "7 3 2 3", "longdash": "11 4"}.get(
            self.dash, "11 3 2 3"
        )


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Chart:
    """A picture, what it shows in words, and its legend."""

    name: str
    figure: go.Figure
    alternative: str
    legend: tuple[Entry, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """As plotly's script takes it."""
        described: dict[str, Any] = json.loads(self.figure.to_json())
        described["layout"].pop("template", None)
        return described


def charts(document: dict[str, Any]) -> dict[str, Chart]:
    """Every picture that these results have something to show in, by name."""
    drawn = [
        dots(document) if any(row["scores"].get(document["ranked_by"]) for row in document["losses"]) else None,
        pairs(document) if _ranks(document) and document["verdicts"][0]["pairs"] else None,
        shapes(document) if document["shapes"]["curves"] else None,
        curves(document) if any(row["curve"] for row in document["losses"]) else None,
        residuals(document) if document["residuals"] else None,
        coverage(document) if document["coverage"] else None,
        reliability(document) if document["reliability"] else None,
    ]
    return {chart.name: chart for chart in drawn if chart is not None}


def references(document: dict[str, Any], metric: str) -> dict[str, Any]:
    """What stands beside the losses, with its scores; without what failed."""
    rows = document["references"]
    scores = {"best constant": rows["best_constant"][metric]}
    for name, row in (("linear model", rows["linear"]), ("gradient boosting", rows["gradient_boosting"])):
        if row and row["error"] is None:
            scores[name] = row["scores"].get(metric)
    return scores


def label(loss: str, longest: int = _LONGEST) -> str:
    """A loss without empty brackets, and without the end of endless hyper-parameters."""
    name = loss.removesuffix("()")
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


# ── a row for each loss ──────────────────────────────────────────────────────────────────────────────────────────────


def dots(document: dict[str, Any]) -> Chart:
    """The score of each split, by loss, in the metric that ranks."""
    metric = document["metrics"][0]
    factor = 100.0 if metric["percent"] else 1.0
    rows = [row for row in document["losses"] if row["scores"].get(metric["name"])]
    names = [row["loss"] for row in rows]
    splits = [np.array(row["scores"][metric["name"]]["splits"]) * factor for row in rows]
    low, high = _range(splits)
    figure = _figure(_height(len(rows)))
    split_names = [f"seed {split['seed']}, fold {split['fold']}" for split in document["plan"]["splits"]]
    drawn = range(0, len(split_names), -(-len(split_names) // _MOST_DOTS))
    for place, (name, values) in enumerate(zip(names, splits, strict=True)):
        chosen = _is_chosen(document, name)
        color = "var(--accent)" if chosen else "var(--dot)"
        scores = values[drawn]
        figure.add_scatter(
            x=np.clip(scores, low, high).tolist(),
            y=[place + 0.5 * ((split * _GOLDEN) % 1 - 0.5) for split in range(len(drawn))],
            mode="markers",
            marker={"color": color, "size": 7, "opacity": 0.65, "symbol": _symbols(scores, low, high)},
            text=[_text(f"{label(name)}: {_short(values[split])} ({split_names[split]})") for split in drawn],
            hovertemplate="%{text}<extra></extra>",
        )
        mean = float(values.mean())
        figure.add_scatter(
            x=[min(max(mean, low), high)],
            y=[place],
            mode="markers",
            marker={
                "symbol": "line-ns",
                "size": 24,
                "line": {"width": 3 if chosen else 2, "color": "var(--accent)" if chosen else "var(--ink)"},
            },
            text=[_text(f"{label(name)}: mean {_short(mean)}")],
            hovertemplate="%{text}<extra></extra>",
        )
    _mark_references(figure, references(document, metric["name"]), factor, (low, high))
    better = "higher" if metric["higher_is_better"] else "lower"
    _rows(
        figure, names, document, f"{_metric(document, metric)} on held-out folds; {better} is better", _roomy(low, high)
    )
    means = "; ".join(
        f"{label(name)} {_short(float(values.mean()))}" for name, values in zip(names, splits, strict=True)
    )
    return Chart("dots", figure, f"{metric['title']} of each split by loss, {better} is better. Means: {means}.")


def pairs(document: dict[str, Any]) -> Chart:
    """Each loss against the reference: the mean difference with its interval."""
    metric, verdict = document["metrics"][0], document["verdicts"][0]
    factor = 100.0 if metric["percent"] else 1.0
    rows = verdict["pairs"]
    middles = [factor * pair["difference"] for pair in rows]
    ends = [[factor * pair["low"], factor * pair["high"]] for pair in rows]
    figure = _figure(_height(len(rows)))
    for place, (pair, middle, (low, high)) in enumerate(zip(rows, middles, ends, strict=True)):
        color = "var(--accent)" if _is_chosen(document, pair["loss"]) else "var(--ink)"
        hover = f"{label(pair['loss'])}: {_short(middle)} ({_short(low)} to {_short(high)})"
        figure.add_scatter(
            x=[middle],
            y=[place],
            mode="markers",
            marker={"color": color, "size": 9},
            error_x={
                "type": "data",
                "symmetric": False,
                "array": [high - middle],
                "arrayminus": [middle - low],
                "color": color,
                "thickness": 2,
                "width": 5,
            },
            text=[_text(hover)],
            hovertemplate="%{text}<extra></extra>",
        )
    figure.add_vline(x=0, line={"color": "var(--mute)", "width": 1, "dash": "dot"})
    edges = [0.0, *np.ravel(ends).tolist()]
    title = f"{_metric(document, metric)} better than {label(verdict['reference'])} by"
    _rows(figure, [pair["loss"] for pair in rows], document, title, _roomy(min(edges), max(edges)))
    summary = "; ".join(f"{label(pair['loss'])} {_short(middle)}" for pair, middle in zip(rows, middles, strict=True))
    return Chart("pairs", figure, f"Mean paired difference with 95 % interval, above 0 is better: {summary}.")


def coverage(document: dict[str, Any]) -> Chart:
    """The share of targets below each predicted quantile, in all and by thirds."""
    rows = document["coverage"]
    figure = _figure(_height(len(rows)))
    parts = ("lowest third", "middle third", "highest third")
    for place, each in enumerate(rows):
        shares = [100 * share for share in each["thirds"]]
        figure.add_scatter(
            x=shares,
            y=[place] * 3,
            mode="markers",
            marker={"color": "var(--dot)", "size": 9, "symbol": ["triangle-down", "circle", "triangle-up"]},
            text=[f"{part} of predictions: {share:.1f} %" for part, share in zip(parts, shares, strict=True)],
            hovertemplate="%{text}<extra></extra>",
        )
        for x, width, color, hover in (
            (100 * each["level"], 2, "var(--mute)", f"promised: {100 * each['level']:g} %"),
            (100 * each["below"], 4, "var(--accent)", f"in all: {100 * each['below']:.1f} %"),
        ):
            figure.add_scatter(
                x=[x],
                y=[place],
                mode="markers",
                marker={"symbol": "line-ns", "size": 24, "line": {"width": width, "color": color}},
                text=[hover],
                hovertemplate="%{text}<extra></extra>",
            )
    _rows(
        figure, [each["loss"] for each in rows], document, "% of held-out targets at or below the prediction", (0, 100)
    )
    summary = "; ".join(f"{100 * each['below']:.1f} % where {100 * each['level']:g} % is promised" for each in rows)
    return Chart("coverage", figure, f"Share of held-out targets at or below each predicted quantile: {summary}.")


# ── curves ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def shapes(document: dict[str, Any]) -> Chart:
    """Each loss and its slope over the errors that occurred."""
    section = document["shapes"]
    figure = _figure(460)
    middles = (np.diff(section["edges"]) / 2 + np.array(section["edges"][:-1])).tolist()
    for axis in ("y3", "y4"):
        figure.add_bar(
            x=middles,
            y=section["occurred"],
            yaxis=axis,
            marker={"color": "var(--bar)"},
            hoverinfo="skip",
            name="errors",
        )
    styles = _styles(document, [curve["loss"] for curve in section["curves"]])
    seen: set[str] = set()
    for curve in section["curves"]:
        entry = styles[curve["loss"]]
        second = curve["loss"] in seen
        seen.add(curve["loss"])
        hover = label(curve["loss"]) + (f", class {curve['of']}" if curve["of"] else "")
        for values, axis in ((curve["value"], "y"), (curve["slope"], "y2")):
            figure.add_scatter(
                x=section["at"],
                y=values,
                yaxis=axis,
                mode="lines",
                legendgroup=entry.group,
                opacity=0.55 if second else 1.0,
                line={"color": entry.color, "width": entry.width, "dash": entry.dash},
                text=_text(hover),
                hovertemplate="%{text}: %{y:.3g} at %{x:.3g}<extra></extra>",
            )
    limit, tallest = section["at"][-1], max(section["occurred"]) or 1.0
    regression = document["task"] == "regression"
    title = (
        f"prediction − {document['data']['target']}"
        if regression
        else "margin: score of the true class above the others"
    )
    top, bottom = [0.55, 1.0], [0.0, 0.45]
    hidden = {"visible": False, "range": [0, 1.15 * tallest], "fixedrange": True}
    figure.update_layout(
        bargap=0.08,
        xaxis=_axis(title=_titled(title), range=[-limit, limit], anchor="y2"),
        yaxis=_axis(domain=top, title=_titled("loss"), range=_heights(section["curves"], "value"), overlaying="y3"),
        yaxis2=_axis(
            domain=bottom,
            title=_titled("slope"),
            range=_heights(section["curves"], "slope"),
            overlaying="y4",
            zeroline=True,
            zerolinecolor="var(--mute)",
        ),
        yaxis3={**hidden, "domain": top},
        yaxis4={**hidden, "domain": bottom},
    )
    alternative = (
        f"{_and_names(document, section['curves'])} and their slopes over the errors that occurred on held-out rows."
    )
    return Chart("shapes", figure, alternative, _legend(styles))


def curves(document: dict[str, Any]) -> Chart:
    """How each loss came down on the rows held out to stop early."""
    named = [document["of"], document["beside"], *(row["loss"] for row in document["losses"])]
    by_loss = {row["loss"]: row["curve"] for row in document["losses"] if row["curve"]}
    losses = [loss for loss in dict.fromkeys(named) if loss in by_loss][: len(_DASHES) + 2]
    styles = _styles(document, losses)
    figure = _figure(300)
    for loss in reversed(losses):  # the chosen one on top
        entry, values = styles[loss], by_loss[loss]
        figure.add_scatter(
            x=list(range(1, len(values) + 1)),
            y=values,
            mode="lines",
            legendgroup=entry.group,
            line={"color": entry.color, "width": entry.width, "dash": entry.dash},
            text=_text(label(loss)),
            hovertemplate="%{text}: %{y:.3f} after epoch %{x}<extra></extra>",
        )
    figure.update_layout(
        xaxis=_axis(
            title=_titled("epoch"), type="log", tickmode="array", tickvals=_EPOCHS, ticktext=list(map(str, _EPOCHS))
        ),
        yaxis=_axis(title=_titled("left to gain"), rangemode="tozero", zeroline=True, zerolinecolor="var(--line)"),
    )
    summary = "; ".join(f"{label(loss)} at its best after {_best_epoch(by_loss[loss])} epochs" for loss in losses)
    return Chart(
        "curves", figure, f"Held-out cost by epoch, from 1 at the start to 0 at the best: {summary}.", _legend(styles)
    )


def residuals(document: dict[str, Any]) -> Chart:
    """What is left over what was predicted."""
    section, target = document["residuals"], document["data"]["target"]
    figure = _figure(340)
    figure.add_scatter(
        x=section["prediction"],
        y=section["residual"],
        mode="markers",
        marker={"color": "var(--accent)", "size": 6, "opacity": 0.45},
        hovertemplate="predicted %{x:.4g}, residual %{y:.3g}<extra></extra>",
    )
    figure.update_layout(
        xaxis=_axis(title=_titled(f"predicted {target}")),
        yaxis=_axis(title=_titled("target − prediction"), zeroline=True, zerolinecolor="var(--mute)"),
    )
    alternative = (
        f"Residuals of {label(document['of'])} over its predictions, {len(section['residual'])} held-out rows."
    )
    return Chart("residuals", figure, alternative)


def reliability(document: dict[str, Any]) -> Chart:
    """How often it was so, over how probable it was said to be."""
    diagrams = document["reliability"]
    styles = _styles(document, [each["loss"] for each in diagrams])
    figure = _figure(360)
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"color": "var(--mute)", "width": 1, "dash": "dot"}, hoverinfo="skip"
    )
    for each in reversed(diagrams):
        entry = styles[each["loss"]]
        figure.add_scatter(
            x=each["said"],
            y=each["occurred"],
            mode="lines+markers",
            legendgroup=entry.group,
            line={"color": entry.color, "width": entry.width, "dash": entry.dash},
            marker={"size": 6, "color": entry.color},
            text=[_text(f"{label(each['loss'])}, {rows} rows") for rows in each["rows"]],
            hovertemplate="%{text}: said %{x:.1%}, was so in %{y:.1%}<extra></extra>",
        )
    several = document["task"] == "multiclass"
    figure.update_layout(
        xaxis=_axis(
            title=_titled("predicted probability" + (" of the predicted class" if several else "")), tickformat=".0%"
        ),
        yaxis=_axis(title=_titled("share that was so"), tickformat=".0%"),
    )
    alternative = (
        "Share of rows that were so, over the probability that each loss's network gave; on the diagonal they agree."
    )
    return Chart("reliability", figure, alternative, _legend(styles))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _figure(height: int) -> go.Figure:
    return go.Figure(
        layout={
            "template": None,
            "height": height,
            "margin": {"l": 12, "r": 12, "t": 22, "b": 44},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": "system-ui, sans-serif", "size": 12.5, "color": "var(--mute)"},
            "hoverlabel": {
                "bgcolor": "var(--card)",
                "bordercolor": "var(--line)",
                "font": {"color": "var(--ink)", "family": "system-ui, sans-serif", "size": 13},
                "namelength": -1,
            },
            "showlegend": False,
            "dragmode": False,
            "hovermode": "closest",
        }
    )


def _height(rows: int) -> int:
    return _ROW * rows + 76


def _axis(**options: Any) -> dict[str, Any]:
    plain = {
        "gridcolor": "var(--line)",
        "linecolor": "var(--line)",
        "tickcolor": "var(--line)",
        "zeroline": False,
        "fixedrange": True,
        "automargin": True,
        "tickmode": "auto",
        "exponentformat": "power",
    }
    return {**plain, **options}


def _titled(title: str) -> dict[str, Any]:
    return {"text": _text(label(title, _LONGEST_TITLE)), "standoff": 8, "font": {"size": 12.5}}


def _rows(
    figure: go.Figure, losses: list[str], document: dict[str, Any], title: str, bounds: tuple[float, float]
) -> None:
    """A row for each loss: its name to the left, and above it too, of which a narrow page shows the second."""
    names = [_text(label(loss)) for loss in losses]
    bold = [f"<b>{name}</b>" if _is_chosen(document, loss) else name for name, loss in zip(names, losses, strict=True)]
    broken = [_broken(label(loss), _is_chosen(document, loss)) for loss in losses]
    for place, name in enumerate(bold):
        figure.add_annotation(
            name="above",
            visible=False,
            x=0,
            xref="paper",
            xanchor="left",
            y=place - 0.28,
            yanchor="bottom",
            text=name,
            showarrow=False,
            font={"color": "var(--ink)", "size": 12},
        )
    figure.update_layout(
        xaxis=_axis(title=_titled(title), range=list(bounds)),
        yaxis=_axis(
            tickmode="array",
            tickvals=list(range(len(losses))),
            ticktext=broken,
            tickfont={"color": "var(--ink)", "size": 12.5},
            range=[len(losses) - 0.5, -0.65],
            showgrid=False,
            ticks="",
        ),
        meta={"rows": len(losses)},  # for the script: a narrow page gives each of them more room
    )


def _broken(name: str, bold: bool) -> str:
    """A long name on two lines."""
    head, bracket, tail = name.partition("(")
    text = _text(name) if len(name) <= _ONE_LINE or not bracket else f"{_text(head)}<br>{_text(bracket + tail)}"
    return f"<b>{text}</b>" if bold else text


def _mark_references(figure: go.Figure, references: dict[str, Any], factor: float, bounds: tuple[float, float]) -> None:
    low, high = bounds
    means = {name: factor * scores["mean"] for name, scores in references.items() if scores is not None}
    inside = {name: at for name, at in means.items() if low <= at <= high}
    figure.update_layout(margin_t=8 + _LINE * len(inside))
    for line, (name, at) in enumerate(inside.items()):
        right = at > (low + high) / 2
        figure.add_vline(
            x=at,
            line={"color": "var(--mute)", "width": 1, "dash": "dot"},
            annotation={
                "text": f"{name} {_short(at)}",
                "font": {"size": 11.5, "color": "var(--mute)"},
                "y": 1,
                "yanchor": "bottom",
                "yshift": _LINE * line,
                "xanchor": "right" if right else "left",
                "showarrow": False,
            },
        )


def _styles(document: dict[str, Any], losses: list[str]) -> dict[str, Entry]:
    """The chosen loss in the accent's colour, the one beside it in ink, the others quiet and dashed."""
    styles: dict[str, Entry] = {}
    for loss in dict.fromkeys(losses):
        group, name = f"loss-{len(styles)}", label(loss)
        if loss == document["of"]:
            styles[loss] = Entry(group, name, "var(--accent)", "solid", 3)
        elif loss == document["beside"]:
            styles[loss] = Entry(group, name, "var(--ink)", "solid", 1.75)
        else:
            styles[loss] = Entry(group, name, "var(--curve)", _DASHES[len(styles) % len(_DASHES)], 1.75)
    return styles


def _legend(styles: dict[str, Entry]) -> tuple[Entry, ...]:
    return tuple(styles.values())


def _range(rows: list[Any]) -> tuple[float, float]:
    """From the lowest dot to the highest, but not so far out that the better losses cannot be told apart."""
    better = np.concatenate(rows[: max(2, (len(rows) + 1) // 2)])
    every = np.concatenate(rows)
    room = _FAR * (float(np.ptp(better)) or 1.0)
    low, high = max(every.min(), better.min() - room), min(every.max(), better.max() + room)
    return float(low), float(high)


def _roomy(low: float, high: float) -> tuple[float, float]:
    """A little more, so that no mark is cut."""
    margin = 0.04 * (high - low or 1.0)
    return low - margin, high + margin


def _symbols(values: Any, low: float, high: float) -> list[str]:
    """Dots that would be outside stand at the edge and point there."""
    return ["triangle-left" if x < low else "triangle-right" if x > high else "circle" for x in values]


def _heights(lines: list[dict[str, Any]], of: str) -> list[float]:
    """What shows every curve, though not the tops of those that run away from the median one."""
    finite = [np.array([x for x in curve[of] if x is not None]) for curve in lines]
    tops = [values.max() for values in finite if len(values)]
    bottoms = [values.min() for values in finite if len(values)]
    top = min(max(tops), 2.5 * max(float(np.median(tops)), 1e-12))
    bottom = max(min(bottoms), -2.5 * max(abs(float(np.median(bottoms))), 1e-12))
    margin = 0.06 * (top - bottom or 1.0)
    return [float(bottom - margin), float(top + margin)]


def _best_epoch(curve: list[float]) -> int:
    return int(np.argmin(curve)) + 1


def _ranks(document: dict[str, Any]) -> bool:
    """Whether the metric that ranks has a verdict, which is then the first."""
    return any(verdict["metric"] == document["ranked_by"] for verdict in document["verdicts"])


def _is_chosen(document: dict[str, Any], loss: str) -> bool:
    return document["recommended"] is not None and loss == document["recommended"]["loss"]


def _metric(document: dict[str, Any], metric: dict[str, Any]) -> str:
    unit = f" ({document['data']['target']})" if metric["in_target_unit"] else " (%)" if metric["percent"] else ""
    return f"{metric['title']}{unit}"


def _and_names(document: dict[str, Any], lines: list[dict[str, Any]]) -> str:
    return ", ".join(dict.fromkeys(label(curve["loss"]) for curve in lines))


def _short(value: float) -> str:
    return f"{value:.4g}"


def _text(words: str) -> str:
    return html.escape(words, quote=False)
