"""How often is the loss that `lossary suggest` ranks first as good as the best one found by training with all of them?

python scripts/evaluate_suggest.py            all sets; writes docs/suggest-evaluation.md
python scripts/evaluate_suggest.py NAME ...   these sets only; prints
"""

from __future__ import annotations

import dataclasses
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl

from lossary.compare import Result, advise, compare
from lossary.compare.suggest import Candidate

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "suggest-evaluation.md"
ROWS = 2_000  # of a larger set, so many are drawn at random
SEEDS = 3
TITLE = "Is what `lossary suggest` ranks first as good as the best?"


@dataclasses.dataclass(frozen=True)
class Set:
    """One real data set that ships inside a package."""

    name: str
    package: str
    target: str
    kind: str  # why it is here
    load: Callable[[], Any]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)  # what `compare` and `suggest` are told


def statsmodels(name: str) -> Callable[[], pl.DataFrame]:
    def load() -> pl.DataFrame:
        import importlib

        frame = importlib.import_module(f"statsmodels.datasets.{name}").load_pandas().data
        return pl.DataFrame({str(column): frame[column].to_list() for column in frame.columns})

    return load


def river(name: str) -> Callable[[], pl.DataFrame]:
    def load() -> pl.DataFrame:
        from river import datasets

        rows = [{**features, "target": target} for features, target in getattr(datasets, name)()]
        return pl.DataFrame(rows, infer_schema_length=None, strict=False)

    return load


SETS = (
    Set("engel", "statsmodels", "foodexp", "heteroscedastic", statsmodels("engel")),
    Set("diabetes", "scikit-learn", "progression", "a number, no surprises", lambda: "diabetes"),
    Set("stackloss", "statsmodels", "STACKLOSS", "outliers, tiny", statsmodels("stackloss")),
    Set("statecrime", "statsmodels", "murder", "outliers", statsmodels("statecrime"), {"drop": ["violent"]}),
    Set("ccard", "statsmodels", "AVGEXP", "outliers, skewed", statsmodels("ccard")),
    Set("grunfeld", "statsmodels", "invest", "heteroscedastic", statsmodels("grunfeld")),
    Set("ChickWeights", "river", "target", "heteroscedastic", river("ChickWeights"), {"group": "chick"}),
    Set("cancer", "statsmodels", "cancer", "counts", statsmodels("cancer"), {"task": "regression"}),
    Set("randhie", "statsmodels", "mdvis", "counts, zeros", statsmodels("randhie"), {"task": "regression"}),
    Set("fair (affairs)", "statsmodels", "affairs", "zero-inflated", statsmodels("fair"), {"task": "regression"}),
    Set("TrumpApproval", "river", "target", "a number over time", river("TrumpApproval"), {"time": "ordinal_date"}),
    Set("breast_cancer", "scikit-learn", "diagnosis", "two classes", lambda: "breast_cancer"),
    Set("Bananas", "river", "target", "two classes, not linear", river("Bananas")),
    Set("Phishing", "river", "target", "two classes", river("Phishing")),
    Set(
        "modechoice", "statsmodels", "choice", "imbalanced, two classes", statsmodels("modechoice"),
        {"group": "individual"},
    ),
    Set("Shuttle", "river", "target", "imbalanced, two classes", river("Shuttle")),
    Set("iris", "scikit-learn", "species", "several classes", lambda: "iris"),
    Set("wine", "scikit-learn", "cultivar", "several classes", lambda: "wine"),
    Set("digits", "scikit-learn", "digit", "several classes, images", lambda: "digits"),
    Set("ImageSegments", "river", "target", "several classes", river("ImageSegments")),
    Set("anes96", "statsmodels", "PID", "ordered classes", statsmodels("anes96"), {"task": "multiclass"}),
    Set(
        "fair (marriage)", "statsmodels", "rate_marriage", "ordered, imbalanced", statsmodels("fair"),
        {"task": "multiclass"},
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of one set; costs are as shown, whichever way is better."""

    set: Set
    rows: int
    metric: str
    first: str
    first_score: float
    best: str
    best_score: float
    error: float  # the standard error of the best's mean
    within: bool
    reference_within: bool
    chance: float  # the share of losses that are within one standard error
    seconds: float


def evaluate(each: Set) -> list[Row]:
    """Suggest for two metrics, then train with every loss, and see how far the one is from the other."""
    source, began = each.load(), time.perf_counter()
    if isinstance(source, pl.DataFrame) and source.height > ROWS:
        source = source.sample(ROWS, seed=0)
    result = compare(source, each.target, seeds=SEEDS, boosting=False, **each.options)
    task, first = result.plan.profile.task, result.summary.ranked_by.name
    seconds = time.perf_counter() - began
    metrics = (first, "rmse" if task == "regression" else "log_loss")
    return [_row(each, source, result, metric, seconds) for metric in metrics]


def _row(each: Set, source: Any, result: Result, metric: str, seconds: float) -> Row:
    advice = advise(source, each.target, metric=metric, **each.options)
    candidates, (judged,) = result.plan.candidates, [x for x in result.summary.metrics if x.name == metric]
    if [x.loss for x in candidates] != [x.loss for x in advice.suggestion.candidates]:
        raise AssertionError("suggest and compare must look at the same losses")
    sign = -1.0 if judged.higher else 1.0
    scores = {
        row.candidate: sign * row.scores[metric]
        for row in result.summary.standings
        if row.error is None and np.isfinite(row.scores[metric]).all()
    }
    means = {place: float(found.mean()) for place, found in scores.items()}
    best, first = min(means, key=lambda place: means[place]), advice.suggestion.ranking[0]
    error = float(scores[best].std(ddof=1)) / len(scores[best]) ** 0.5
    within = {place for place, mean in means.items() if mean <= means[best] + error}
    return Row(
        each,
        result.plan.profile.rows,
        judged.title,
        _name(candidates[first]),
        sign * means[first],
        _name(candidates[best]),
        sign * means[best],
        error,
        first in within,
        0 in within,
        len(within) / len(means),
        seconds,
    )


def _name(candidate: Candidate) -> str:
    """The loss, and what tells it from its like: the hyper-parameter's name, without the numbers of one set."""
    changed = [name for name in ("class_weight", "pos_weight", "label_smoothing") if f"{name}=" in candidate.name]
    level = candidate.loss.settings.get("level")
    settings = f"({level:g})" if isinstance(level, float) else f"({', '.join(changed)})" if changed else ""
    return type(candidate.loss).__name__ + settings


def page(rows: list[Row]) -> str:
    """The tables, and what they say."""
    intro = (
        f"On {len(rows) // 2} real data sets that ship inside scikit-learn, statsmodels and river, `lossary suggest` "
        "ranked the losses without training, and `lossary compare` then trained the same network with each of them "
        f"(5 folds, {SEEDS} seeds, sets above {ROWS:,} rows sampled; rows that belong together were kept together)."
    )
    meaning = (
        "The score is the mean over all splits of the metric, on rows that were not trained on; ± is the standard "
        "deviation over the splits, divided by the square root of their number. Splits share rows, so that it is "
        "rather too small than too large: the test is a strict one."
    )
    usual = [row for row in rows if row.metric in ("MAE", "balanced accuracy")]
    other = [row for row in rows if row not in usual]
    parts = [
        "<!-- Written by `make evaluate-suggest`; do not edit. -->\n",
        f"# {TITLE}\n",
        f"{intro} {meaning}\n",
        "## By mean absolute error and balanced accuracy, which rank unless another metric is asked for\n",
        *_table(usual),
        "## By root mean squared error and log loss, as `--metric` asks for them\n",
        *_table(other),
    ]
    return "\n".join(parts)


def _table(rows: list[Row]) -> list[str]:
    hits, reference = sum(row.within for row in rows), sum(row.reference_within for row in rows)
    first = (
        f"- **The loss ranked first was within one standard error of the best found on {hits} of {len(rows)} sets "
        f"({_percent(hits / len(rows))}).**"
    )
    others = (
        f"- The loss that people take without asking (mean squared error, cross-entropy) was on {reference} of "
        f"{len(rows)} ({_percent(reference / len(rows))}); a loss drawn at random would be on "
        f"{_percent(float(np.mean([row.chance for row in rows])))}."
    )
    titles = (
        "| set | ships in | rows | why it is here | metric | ranked first | its score | best found | its score "
        "| first within one standard error | reference within |"
    )
    cells = [
        f"| {row.set.name} | {row.set.package} | {row.rows:,} | {row.set.kind} | {row.metric} | {row.first} "
        f"| {row.first_score:.4g} | {row.best} | {row.best_score:.4g} ± {row.error:.2g} "
        f"| {'yes' if row.within else '**no**'} | {'yes' if row.reference_within else '**no**'} |"
        for row in rows
    ]
    return [first, f"{others}\n", titles, "| --- " * 11 + "|", *cells, ""]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def main() -> int:
    chosen = [each for each in SETS if not sys.argv[1:] or each.name in sys.argv[1:]]
    rows = []
    for each in chosen:
        for row in evaluate(each):
            rows.append(row)
            found = f"{'within' if row.within else 'NOT within'} {row.best} {row.best_score:.4g} ± {row.error:.2g}"
            print(f"{each.name}: {row.metric}: {row.first} {row.first_score:.4g}, {found} · {row.seconds:.0f} s")
    if len(chosen) == len(SETS):
        PAGE.write_text(page(rows), encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
