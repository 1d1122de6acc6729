"""Fifth stage: one unit of work, a network trained with one loss on one split."""

from __future__ import annotations

import dataclasses
import time
import warnings
from typing import Any, final

import numpy as np
import numpy.typing as npt
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # it has no types
from torch.optim.swa_utils import get_ema_multi_avg_fn

from lossary.compare.plan import Budget, Plan, Split
from lossary.compare.profile import (
    Codes,
    Facts,
    Numbers,
    Profile,
    class_facts,
    linear_residuals,
    preprocessor,
    regression_facts,
)
from lossary.compare.suggest import Candidate, encode
from lossary.domain import Logits, Score
from lossary.loss import Loss

BOOSTING = -1  # the place of the boosted reference among the candidates

_HIDDEN = 64
_LEARNING_RATE = 5e-3
_WEIGHT_DECAY = 1e-3
_BATCH = 64
_AVERAGING = 0.95  # part of the averaged weights that each step keeps: steadies small, noisy sets
_INNER_SHARE = 0.2  # of the training rows, held out to stop early


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says of the test rows of a split."""

    values: Numbers | None = None  # regression, in the target's own units
    labels: Codes | None = None  # classes
    scores: Numbers | None = None  # what ranks rows: (N,) for two classes, (N, K) for more
    probabilities: Numbers | None = None  # as `scores`; None where the loss gives none


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """What became of one unit of work."""

    candidate: int
    split: int
    prediction: Prediction | None  # None when it failed
    loss: str  # with this fold's hyper-parameters, in the target's own units
    epochs: int
    seconds: float
    error: str | None = None


def train(plan: Plan, candidate: int, split: int) -> Outcome:
    """Do one unit of work. The result depends on the plan alone, not on who does it or when."""
    began = time.perf_counter()
    description, epochs = "", 0
    try:
        if candidate == BOOSTING:
            prediction = _boost(plan.profile, plan.splits[split])
        else:
            work = plan.candidates[candidate], plan.splits[split], plan.budget
            prediction, description, epochs = _fit(plan.profile, *work)
    except Exception as error:  # one loss that fails must not take the others with it: its row shows why
        reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"
        return Outcome(candidate, split, None, description, epochs, time.perf_counter() - began, reason)
    return Outcome(candidate, split, prediction, description, epochs, time.perf_counter() - began)


def _fit(profile: Profile, candidate: Candidate, split: Split, budget: Budget) -> tuple[Prediction, str, int]:
    table, y, classes = profile.table[split.train], profile.y[split.train], len(profile.classes)
    facts = _facts(profile, candidate, table, y)
    own, loss = candidate.within(facts)
    prepare = preprocessor(table.shape[1], profile.categories).fit(table)
    inputs = torch.as_tensor(prepare.transform(table), dtype=torch.float32)
    target = encode(loss, y if classes else np.asarray((y - facts.center) / facts.scale), classes)
    targets = torch.as_tensor(target, dtype=torch.int64 if target.dtype == np.int64 else torch.float32)
    kept, held = _inner_split(y, classes, split)
    outputs = classes if isinstance(loss.prediction, Logits) else 1

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # so small a network is slower on two; units run side by side instead
    try:
        model, epochs = _descend(loss, inputs, targets, kept, held, outputs, budget, split)
        with torch.no_grad():
            test = torch.as_tensor(prepare.transform(profile.table[split.test]), dtype=torch.float32)
            scores = model(test).double().numpy()
    finally:
        torch.set_num_threads(threads)
    if not np.isfinite(scores).all():
        raise FloatingPointError("training diverged: predictions are not finite")
    return _read(loss.prediction, scores if outputs > 1 else scores[:, 0], facts, classes), repr(own), epochs


def _descend(
    loss: Loss,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    kept: Codes,
    held: Codes,
    outputs: int,
    budget: Budget,
    split: Split,
) -> tuple[torch.nn.Module, int]:
    """Adam on mini-batches, weights averaged over steps; those that cost least on the held-out rows are kept."""
    with torch.random.fork_rng(devices=[]):
        # The same start and the same batches for every loss: what differs between two losses is the loss.
        torch.manual_seed(1000 * split.seed + split.fold)
        model = torch.nn.Sequential(
            torch.nn.Linear(inputs.shape[1], _HIDDEN), torch.nn.SiLU(), torch.nn.Linear(_HIDDEN, outputs)
        )
        optimiser = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY, fused=True)
        names, weights = zip(*model.named_parameters(), strict=True)
        average, move = [each.detach().clone() for each in weights], get_ema_multi_avg_fn(_AVERAGING)  # type: ignore[no-untyped-call]  # torch has no types here
        seen, seen_targets, unseen, unseen_targets = inputs[kept], targets[kept], inputs[held], targets[held]
        batch = min(1024, max(_BATCH, len(kept) // 8))
        # The first batch is checked; later ones are of the same kind, and checks would be a tenth of the time.
        criterion, unchecked = loss.torch(), loss.torch(validate=False)
        best, best_epoch, state = float("inf"), 0, average
        for epoch in range(1, budget.epochs + 1):
            for rows in torch.randperm(len(kept)).split(batch):  # type: ignore[no-untyped-call]  # nor here
                optimiser.zero_grad()
                criterion(_shaped(model(seen[rows])), seen_targets[rows]).backward()
                optimiser.step()
                criterion = unchecked
                move(average, [each.detach() for each in weights], 0)
            with torch.no_grad():
                output = torch.func.functional_call(model, dict(zip(names, average, strict=True)), (unseen,))
                cost = float(criterion(_shaped(output), unseen_targets))
            if cost < best:
                best, best_epoch, state = cost, epoch, [each.clone() for each in average]
            elif epoch - best_epoch >= budget.patience:
                break
        model.load_state_dict(dict(zip(names, state, strict=True)))
    return model, best_epoch


def _shaped(output: torch.Tensor) -> torch.Tensor:
    return output.squeeze(-1) if output.shape[-1] == 1 else output


def _facts(profile: Profile, candidate: Candidate, table: Numbers, y: Any) -> Facts:
    """What the training rows alone say of scale, spread and class counts."""
    if profile.classes:
        return class_facts(y, len(profile.classes))
    residuals = linear_residuals(table, profile.categories, y)[0] if candidate.rule else y
    return regression_facts(y, residuals)


def _inner_split(y: Numbers | Codes, classes: int, split: Split) -> tuple[Codes, Codes]:
    held = max(1, classes, round(_INNER_SHARE * len(y)))
    alike = bool(classes) and np.bincount(y.astype(np.int64), minlength=classes).min() >= 2 and len(y) - held >= classes
    kept, stop = train_test_split(
        np.arange(len(y)), test_size=min(held, len(y) - 1), random_state=split.seed, stratify=y if alike else None
    )
    return kept, stop


def _read(domain: Any, scores: Numbers, facts: Facts, classes: int) -> Prediction:
    """Predictions by the loss's own link: the sign or largest score decides; sigmoid or softmax gives probability."""
    if not classes:
        return Prediction(values=facts.center + facts.scale * scores)
    if isinstance(domain, Logits):
        shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
        return Prediction(
            labels=scores.argmax(axis=1), scores=scores, probabilities=shifted / shifted.sum(axis=1, keepdims=True)
        )
    logit = isinstance(domain, Score) and domain.logit
    labels = (scores > domain.threshold).astype(np.int64)
    return Prediction(labels=labels, scores=scores, probabilities=_sigmoid(scores) if logit else None)


def _sigmoid(scores: Numbers) -> npt.NDArray[np.float64]:
    return torch.sigmoid(torch.as_tensor(scores)).numpy()


def _boost(profile: Profile, split: Split) -> Prediction:
    """Scikit-learn's gradient boosting: what a good model of another kind reaches on the same split."""
    width = profile.table.shape[1]
    options: dict[str, Any] = {
        "categorical_features": list(range(width - profile.categories, width)) or None,
        "random_state": split.seed,
        "max_iter": 60,
        "max_leaf_nodes": 15,
    }
    seen, y, test = profile.table[split.train], profile.y[split.train], profile.table[split.test]
    # One thread, as for the networks: on small tables threads wait for each other more than they work.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not profile.classes:
            return Prediction(values=HistGradientBoostingRegressor(**options).fit(seen, y).predict(test))
        probabilities = HistGradientBoostingClassifier(**options).fit(seen, y).predict_proba(test)
    labels = probabilities.argmax(axis=1)
    scores = probabilities[:, 1] if profile.task == "binary" else probabilities
    return Prediction(labels=labels, scores=scores, probabilities=scores)
