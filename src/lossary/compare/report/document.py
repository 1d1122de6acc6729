"""What the comparison found, as JSON-able data: the JSON file is it, and the page is made from it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

import lossary
from lossary.compare.metrics import Metric
from lossary.compare.plan import Plan
from lossary.compare.profile import Numbers
from lossary.compare.report import calibration, words
from lossary.compare.report.heaviest import heaviest
from lossary.compare.report.held_out import gather
from lossary.compare.report.shapes import Shapes, shapes
from lossary.compare.statistics import Interval, Standing, Verdict
from lossary.compare.suggest import quantile_level
from lossary.define import spelling

if TYPE_CHECKING:
    from lossary.compare.report.result import Result

SCHEMA = 1  # of the JSON; grows when a key changes its meaning

_PACKAGES = ("scikit-learn", "numpy", "polars")
_DRAWN = 8  # losses in a picture of curves, from the best down: more cannot be told apart


def document(result: Result) -> dict[str, Any]:
    """Everything; `schema.json` says what each key means."""
    plan, summary = result.plan, result.summary
    profile, data = plan.profile, plan.profile.data
    verdict = summary.verdicts.get(summary.ranked_by.name)
    return {
        "schema": SCHEMA,
        "answer": _answer(result, verdict),
        "data": {
            "name": data.name,
            "target": data.target,
            "target_range": words.target_range(profile),
            "rows": profile.rows,
            "rows_used": plan.rows_used,
            "columns": data.features.columns,
            "numbers": profile.table.shape[1] - profile.categories,
            "categories": profile.categories,
            "sha256": data.digest,
        },
        "task": profile.task,
        "classes": list(profile.classes),
        "class_rows": list(profile.facts.counts) if profile.classes else [],
        "findings": list(profile.findings),
        "notes": [*profile.notes, *plan.notes],
        "plan": {
            "line": words.plan_line(plan),
            "folds": plan.folds,
            "seeds": list(plan.seeds),
            "splits": [{"seed": split.seed, "fold": split.fold + 1} for split in plan.splits],
            "model": plan.model,
            "framework": plan.framework,
            "epochs": plan.budget.epochs,
            "patience": plan.budget.patience,
        },
        "ranked_by": summary.ranked_by.name,
        "metrics": [
            {
                "name": metric.name,
                "title": metric.title,
                "higher_is_better": metric.higher,
                "in_target_unit": metric.unit,
                "percent": metric.percent,
            }
            for metric in summary.metrics
        ],
        "losses": [_row(result, row) for row in summary.standings],
        "references": {
            "best_constant": {name: _scores(scores) for name, scores in summary.constants.items()},
            "gradient_boosting": _reference(summary.boosting),
            "linear": _reference(summary.linear),
        },
        "verdicts": [
            _verdict(plan, metric, summary.verdicts[metric.name])
            for metric in summary.metrics
            if metric.name in summary.verdicts
        ],
        **_why(result, verdict),
        "recommended": None
        if result.recommended is None
        else {
            "loss": repr(result.recommended.loss),
            "config": result.recommended.loss.config(),
            "code": spelling.in_use(result.recommended.loss, **words.options(profile, result.recommended)),
            "advice": words.advice(profile, result.recommended),
        },
        "command": result.command,
        "versions": {"python": platform.python_version(), **versions(plan)},
    }


def versions(plan: Plan) -> dict[str, str]:
    """Of what the numbers depend on: lossary, what trained the models, and the rest."""
    packages = (plan.framework, *_PACKAGES)
    return {"lossary": lossary.__version__, **{package: importlib.metadata.version(package) for package in packages}}


def _answer(result: Result, verdict: Verdict | None) -> dict[str, Any]:
    plan, summary = result.plan, result.summary
    sentences = [
        {"judged_by": metric.title, "verdict": words.sentence(plan, summary.verdicts[metric.name], metric)}
        for metric in words.shown_metrics(plan, summary)
        if metric.name in summary.verdicts
    ]
    why = words.why_none(plan, result.outcomes, verdict) if result.recommended is None else None
    return {"headline": words.answer(plan, summary), "sentences": sentences, "why_none": why}


def _row(result: Result, row: Standing) -> dict[str, Any]:
    candidate = result.plan.candidates[row.candidate]
    mine = sorted((each for each in result.outcomes if each.candidate == row.candidate), key=lambda each: each.split)
    return {
        "loss": repr(candidate.loss),
        "config": candidate.loss.config(),
        "estimates": candidate.loss.estimates,
        "reason": candidate.reason,
        "stands_for": list(candidate.stands_for),
        "error": row.error,
        "unfinished": row.unfinished,
        "scores": _all_scores(row),
        "trained": [each.loss for each in mine],  # with each fold's hyper-parameters, in the target's own units
        "epochs": [each.epochs for each in mine],
        "seconds": round(sum(each.seconds for each in mine), 3),
        "curve": _curve([each.curve for each in mine]).round(5).tolist(),
    }


def _reference(row: Standing | None) -> dict[str, Any] | None:
    return None if row is None else {"error": row.error, "scores": _all_scores(row)}


def _curve(curves: list[Numbers]) -> Numbers:
    """The median over the splits of what is left to gain on held-out rows: 1 at the start, 0 at the best epoch."""
    curves = [curve for curve in curves if len(curve) and np.isfinite(curve).all()]
    if not curves:
        return np.empty(0)
    longest = max(map(len, curves))
    left = [(curve - curve.min()) / ((curve[0] - curve.min()) or 1.0) for curve in curves]
    return np.asarray(np.median([np.pad(each, (0, longest - len(each)), mode="edge") for each in left], axis=0))


def _all_scores(row: Standing) -> dict[str, Any]:
    return {name: _scores(scores) for name, scores in row.scores.items()}


def _scores(scores: Numbers) -> dict[str, Any] | None:
    """Mean, spread and each split's score; None where the metric is not defined."""
    if not np.isfinite(scores).all():
        return None
    return {"mean": float(scores.mean()), "deviation": float(scores.std(ddof=1)), "splits": scores.tolist()}


def _verdict(plan: Plan, metric: Metric, verdict: Verdict) -> dict[str, Any]:
    names = [repr(candidate.loss) for candidate in plan.candidates]
    pairs = sorted(verdict.pairs, key=lambda pair: -pair.difference)
    return {
        "metric": metric.name,
        "best": names[verdict.best],
        "reference": names[verdict.reference],
        "recommended": None if verdict.recommended is None else names[verdict.recommended],
        "difference": verdict.difference,
        "better_in": verdict.better_in,
        "splits": len(plan.splits),
        "p": verdict.p,
        "ties": [names[each] for each in verdict.ties],
        "sentence": words.sentence(plan, verdict, metric),
        "pairs": [{"loss": names[pair.candidate], **_without(pair, "candidate")} for pair in pairs],
    }


# ── why ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _why(result: Result, verdict: Verdict | None) -> dict[str, Any]:
    """What the recommended loss, or else the reference, said of held-out rows, and beside it the next to look at."""
    plan, alive = result.plan, [row.candidate for row in result.summary.standings if row.error is None]
    named = [] if verdict is None else [verdict.recommended, verdict.reference, verdict.best]
    drawn = list(dict.fromkeys(each for each in (*named, *alive) if each is not None))[:_DRAWN]
    place, beside = drawn[0], drawn[min(1, len(drawn) - 1)]
    seen = gather(plan, result.outcomes, place)
    regression = plan.profile.task == "regression"
    return {
        "of": repr(plan.candidates[place].loss),
        "beside": repr(plan.candidates[beside].loss),
        "shapes": _shapes(plan, shapes(plan, seen, drawn)),
        "heaviest": {
            "rows": len(np.unique(seen.rows)),
            "examples": [
                dataclasses.asdict(example) for example in heaviest(plan, seen, gather(plan, result.outcomes, beside))
            ],
        },
        "residuals": _listed(calibration.residuals(plan, seen)) if regression else None,
        "coverage": _coverage(result, alive) if regression else [],
        "intervals": [_interval(plan, interval) for interval in result.summary.intervals],
        "reliability": [] if regression else _reliability(result, drawn),
    }


def _shapes(plan: Plan, drawing: Shapes) -> dict[str, Any]:
    return {
        **_listed(drawing, "curves"),
        "curves": [
            {"loss": repr(plan.candidates[curve.candidate].loss), **_listed(curve, "candidate")}
            for curve in drawing.curves
        ],
    }


def _coverage(result: Result, alive: list[int]) -> list[dict[str, Any]]:
    plan = result.plan
    levels = {each: quantile_level(plan.candidates[each]) for each in alive}
    coverages = [
        calibration.coverage(plan, gather(plan, result.outcomes, each), level)
        for each, level in sorted(levels.items(), key=lambda item: item[1] or 0.0)
        if level is not None
    ]
    return [{"loss": repr(plan.candidates[each.candidate].loss), **_without(each, "candidate")} for each in coverages]


def _interval(plan: Plan, interval: Interval) -> dict[str, Any]:
    return {
        "low": repr(plan.candidates[interval.low].loss),
        "high": repr(plan.candidates[interval.high].loss),
        "normal": interval.normal,
        "promised": interval.promised,
        "within": float(interval.coverage.mean()),
        "width": float(interval.width.mean()),
        "thirds": list(interval.thirds),
    }


def _reliability(result: Result, drawn: list[int]) -> list[dict[str, Any]]:
    plan = result.plan
    diagrams = (calibration.reliability(plan, gather(plan, result.outcomes, each)) for each in drawn)
    return [
        {"loss": repr(plan.candidates[each.candidate].loss), **_listed(each, "candidate")}
        for each in diagrams
        if each is not None
    ]


def _listed(value: Any, *left_out: str) -> dict[str, Any]:
    """The fields of a value, arrays as lists of at most seven digits, None where a number is not finite."""
    return {
        name: [float(f"{x:.7g}") if np.isfinite(x) else None for x in field.tolist()]
        if isinstance(field, np.ndarray)
        else field
        for name, field in _without(value, *left_out).items()
    }


def _without(value: Any, *left_out: str) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.name not in left_out}
