"""Check a loss in this very process, as tests and notebooks do."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from lossary.check.inference import stated
from lossary.check.report.report import LossReport, Precision, Report
from lossary.check.rulebook import expectations, rule
from lossary.check.run.ask import TIME_LIMIT, ask, in_turn
from lossary.check.run.configuration import ANY, Configuration


def check_loss(
    loss: Any,
    *,
    framework: Literal["numpy", "torch", "keras", "jax"] | None = None,
    task: str | None = None,
    order: str | None = None,
    reduction: str | None = None,
    logits: bool | None = None,
    claims: Iterable[Any] = (),
    formula: Any = None,
    select: Iterable[str] = (),
    ignore: Iterable[str] = (),
    expected_failures: Mapping[str, str] | None = None,
    thorough: bool = False,
    precision: bool = False,
    seed: int = 0,
    time_limit: float = TIME_LIMIT,
) -> Report:
    """Ask the rules of a loss; nothing is printed and nothing raised, whatever they find.

    The loss runs in this process: one that ends it, or that hangs in compiled code, takes this process with it.
    `lossary check` runs it in a child.

    Args:
        loss: a lossary loss; a function of two arrays; a `torch.nn.Module`; a Keras loss or its name; a function of
            JAX arrays; a boosting objective `(y_true, y_pred) -> (gradient, hessian)`.
        framework: whose arrays it takes; "keras" for TensorFlow's.
        task: "regression", "binary", "multiclass" (one-hot rows), "sparse" (class indices) or "distribution".
        order: which argument comes first, "prediction" or "target".
        reduction: what a plain call does with its rows: "mean", "sum" or "none".
        logits: whether predictions are logits; False for probabilities.
        claims: properties that it is held to: `lossary.define.Lipschitz(1)`, or "lipschitz=1".
        formula: what it should compute, for a judge with many digits: text such as "abs(p - y)", of the prediction p
            and the target y; or a function (xp, p, y), of whose words `xp` has. Losses of the catalogue are recognised.
        select, ignore: codes ("LSY101"), their beginnings ("LSY1") or names ("silent-broadcast").
        expected_failures: code or name → why that rule fails. One that does not fail is an error.
        thorough: ask also the slow rules, which compile, trace and measure.
        precision: measure how exact it is, too, where its formula is known; that takes seconds. `thorough` does so.
        seed: of the random inputs; the same seed has the same findings.
        time_limit: seconds for each rule, kept in the main thread of systems that have alarms.

    What is not said is inferred from names and behaviour, and said in the report.

    Raises:
        UnknownNameError: a rule that does not exist.
        ParameterError, UsageError: something told that cannot be, or a loss that nothing is known of.
        ImportError: its framework is not installed.
    """
    began = time.perf_counter()
    configuration = Configuration(
        select=tuple(select),
        ignore=tuple(ignore),
        expected_failures={ANY: expected_failures or {}},
        thorough=thorough,
        seed=seed,
        time_limit=time_limit,
    )
    facts: dict[str, Any] = {
        "framework": framework,
        "task": task,
        "order": order,
        "reduction": reduction,
        "logits": logits,
    }
    facts |= {"claims": claims, "formula": formula}
    rules = rule.select(configuration.select, configuration.ignore, thorough=thorough)
    expectations.validated(configuration.expected_failures)
    subject = stated.subject(loss, seed=seed, **facts)
    outcomes = tuple(in_turn(rules, lambda each: ask(each, subject, time_limit)))
    measured = Precision.of(subject) if precision or thorough else None
    place = subject.name, subject.path, subject.line, subject.inferred
    seconds, instead = time.perf_counter() - began, stated.instead(subject)
    report = LossReport(*place, outcomes, seconds, instead=instead, precision=measured)
    return Report(expectations.applied([report], configuration), time.perf_counter() - began, seed)
