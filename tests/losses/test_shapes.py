"""Losses of every shape, in every framework, beside plain loops over their entries."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

import lossary
from lossary import errors
from lossary.define.domains.classes import ClassIndex, Logits
from lossary.define.domains.domain import Domain, Learned
from lossary.define.domains.numbers import Positive, Probability, Real
from lossary.define.domains.rows import Columns, Row
from lossary.define.loss import Batchwise, Pointwise, Rowwise
from lossary.define.parameters import parameter
from lossary.describe.formula import formula
from lossary.judge.exact import judge, judge_gradient
from tests import grid
from tests.accuracy import grid as accuracy_grid
from tests.grid import FRAMEWORKS

N = 6  # entries of a batch


class Cosine(Rowwise):
    """One less the cosine of two rows."""

    task = "regression"
    prediction, target = Row(Real()), Row(Real())

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        return 1.0 - xp.sum(p * y) / (xp.sqrt(xp.sum(p * p)) * xp.sqrt(xp.sum(y * y)))

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        length, other = xp.sqrt(xp.sum(p * p)), xp.sqrt(xp.sum(y * y))
        cosine = xp.sum(p * y) / (length * other)
        return xp.row(cosine / (length * length)) * p - y / xp.row(length * other)

    @staticmethod
    def of_entry(prediction: Any, target: Any) -> float:
        return 1.0 - float(np.dot(prediction, target) / np.linalg.norm(prediction) / np.linalg.norm(target))


class Quantiles(Rowwise):
    """The mean of three pinball losses of one number."""

    task = "regression"
    prediction, target = Row(Real()), Real()
    levels: ClassVar[tuple[float, ...]] = (0.1, 0.5, 0.9)

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        r = xp.row(y) - p
        return xp.sum(xp.maximum(xp.table(self.levels, p) * r, (xp.table(self.levels, p) - 1.0) * r)) / 3.0

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        return xp.where(p > xp.row(y), 1.0 - xp.table(self.levels, p), -xp.table(self.levels, p)) / 3.0

    @classmethod
    def of_entry(cls, prediction: Any, target: Any) -> float:
        each = [max(t * (target - q), (t - 1) * (target - q)) for t, q in zip(cls.levels, prediction, strict=True)]
        return sum(each) / 3


class Gaussian(Rowwise):
    """The negative log-likelihood of a normal law, of which the row has the mean and the logarithm of the scale."""

    task = "regression"
    prediction, target = Columns(mean=Real(), log_scale=Real()), Real()

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        mean, log_scale = xp.columns(p, 2)
        r = (mean - y) * xp.exp(-log_scale)
        return log_scale + 0.5 * r * r

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        mean, log_scale = xp.columns(p, 2)
        r = (mean - y) * xp.exp(-log_scale)
        return xp.stack(r * xp.exp(-log_scale), 1.0 - r * r)

    @staticmethod
    def of_entry(prediction: Any, target: Any) -> float:
        from scipy.stats import norm

        density = norm.logpdf(target, loc=prediction[0], scale=math.exp(prediction[1]))
        return float(-density - 0.5 * math.log(2 * math.pi))


class Triplet(Rowwise):
    """Squared distances: that to the positive, less that to the negative, from a margin on."""

    margin: float = parameter(default=1.0, above=0, doc="the difference from which on nothing costs")

    task = "regression"
    anchor, positive, negative = (Learned(Row(Real())),) * 3

    def value(self, xp: Any, a: Any, p: Any, *, negative: Any) -> Any:
        return xp.relu(xp.sum((a - p) * (a - p)) - xp.sum((a - negative) * (a - negative)) + self.margin)

    def gradient(self, xp: Any, a: Any, p: Any, *, negative: Any) -> Any:
        pays = xp.row(self.value(xp, a, p, negative=negative) > 0.0)
        slopes = 2.0 * (negative - p), 2.0 * (p - a), 2.0 * (a - negative)
        return tuple(xp.where(pays, slope, 0.0) for slope in slopes)

    @staticmethod
    def of_entry(anchor: Any, positive: Any, negative: Any) -> float:
        return max(0.0, float(((anchor - positive) ** 2).sum() - ((anchor - negative) ** 2).sum() + 1.0))


class Distillation(Rowwise):
    """The cross-entropy beside the teacher's, of three inputs, and differentiated by the frameworks."""

    task = "multiclass"
    prediction, target, teacher = Logits(), ClassIndex(), Logits()

    def value(self, xp: Any, p: Any, y: Any, *, teacher: Any) -> Any:
        share, _ = xp.softmax_and_complement(teacher)
        return xp.surprisal_at(p, y) + xp.sum(share * xp.surprisal(p))

    @staticmethod
    def of_entry(prediction: Any, target: Any, teacher: Any) -> float:
        surprise = np.log(np.exp(prediction).sum()) - prediction
        return float(surprise[target] + (np.exp(teacher) / np.exp(teacher).sum() * surprise).sum())


class ImageDice(Rowwise):
    """Of each image, whose pixels stand on two axes."""

    task = "binary"
    prediction, target = Row(Row(Probability())), Row(Row(Probability()))

    def value(self, xp: Any, p: Any, y: Any) -> Any:
        both, either = xp.sum(xp.sum(p * y)), xp.sum(xp.sum(p)) + xp.sum(xp.sum(y))
        return 1.0 - (2.0 * both + 1.0) / (either + 1.0)

    def gradient(self, xp: Any, p: Any, y: Any) -> Any:
        both, either = xp.sum(xp.sum(p * y)), xp.sum(xp.sum(p)) + xp.sum(xp.sum(y))
        either, both = xp.row(xp.row(either + 1.0)), xp.row(xp.row(2.0 * both + 1.0))
        return both / (either * either) - 2.0 * y / either

    @staticmethod
    def of_entry(prediction: Any, target: Any) -> float:
        return 1.0 - float((2 * (prediction * target).sum() + 1) / (prediction.sum() + target.sum() + 1))


class BatchDice(Batchwise):
    """Of all pixels at once."""

    task = "binary"
    prediction, target = Probability(), Probability()

    def value(self, xp: Any, p: Any, y: Any, *, weight: Any) -> Any:
        both, either = xp.sum(weight * p * y), xp.sum(weight * (p + y))
        return 1.0 - (2.0 * both + 1.0) / (either + 1.0)

    def gradient(self, xp: Any, p: Any, y: Any, *, weight: Any) -> Any:
        both, either = xp.sum(weight * p * y), xp.sum(weight * (p + y)) + 1.0
        return weight * ((2.0 * both + 1.0) / (either * either) - 2.0 * y / either)

    def denominator(self, xp: Any, p: Any, y: Any, *, weight: Any) -> Any:
        return xp.where(xp.sum(weight) > 0.0, 1.0, 0.0 * xp.sum(weight))

    @staticmethod
    def of_batch(prediction: Any, target: Any, weight: Any) -> tuple[float, float]:
        both, either = (weight * prediction * target).sum(), (weight * (prediction + target)).sum()
        return 1 - (2 * both + 1) / (either + 1), 1.0


class Cox(Batchwise):
    """The negative partial log-likelihood, ties by Breslow; the mean is for each event."""

    task = "regression"
    prediction, time, event = Real(), Positive(), Probability()

    def value(self, xp: Any, p: Any, time: Any, *, event: Any, weight: Any) -> Any:
        largest, total, _ = self._risk(xp, p, time, weight)
        return xp.sum(xp.where(event * weight > 0.0, event * weight * (largest + xp.log(total) - p), 0.0))

    def gradient(self, xp: Any, p: Any, time: Any, *, event: Any, weight: Any) -> Any:
        largest, total, at_risk = self._risk(xp, p, time, weight)
        falls = xp.where(event * weight > 0.0, event * weight / total, 0.0)
        # The other way around: of each entry, the events at which it was still at risk.
        shares = xp.transpose(xp.where(at_risk, xp.exp(p - xp.row(largest)), 0.0)) * falls
        return weight * xp.sum(shares) - event * weight

    def denominator(self, xp: Any, p: Any, time: Any, *, event: Any, weight: Any) -> Any:
        return xp.sum(event * weight)

    def _risk(self, xp: Any, p: Any, time: Any, weight: Any) -> Any:
        at_risk = xp.logical_and(time >= xp.row(time), weight > 0.0)
        largest = xp.max(xp.where(at_risk, p + 0.0 * xp.row(p), -1e30))
        total = xp.sum(xp.where(at_risk, weight * xp.exp(p - xp.row(largest)), 0.0))
        return largest, xp.where(total > 0.0, total, 1.0), at_risk

    @staticmethod
    def of_batch(prediction: Any, time: Any, event: Any, weight: Any) -> tuple[float, float]:
        whole = 0.0
        for i in range(len(time)):
            risk = sum(weight[j] * math.exp(prediction[j]) for j in range(len(time)) if time[j] >= time[i])
            whole += weight[i] * event[i] * (math.log(risk) - prediction[i]) if risk else 0.0
        return whole, float((weight * event).sum())


class InfoNCE(Batchwise):
    """Of each row, which of all the others belongs to it."""

    task = "regression"
    anchor, positive = Learned(Row(Real())), Learned(Row(Real()))

    def value(self, xp: Any, a: Any, p: Any, *, weight: Any) -> Any:
        _, largest, total = self._scores(xp, a, p, weight)
        own = xp.sum(a * p)
        return xp.sum(xp.where(weight > 0.0, weight * (largest + xp.log(total) - own), 0.0))

    def gradient(self, xp: Any, a: Any, p: Any, *, weight: Any) -> Any:
        scores, largest, total = self._scores(xp, a, p, weight)
        share = xp.where(weight > 0.0, xp.exp(scores - xp.row(largest)), 0.0) / xp.row(total)
        share, own = xp.row(weight) * share, xp.row(weight)
        return xp.matmul(share, p) - own * p, xp.matmul(xp.transpose(share), a) - own * a

    def _scores(self, xp: Any, a: Any, p: Any, weight: Any) -> Any:
        scores = xp.matmul(a, xp.transpose(p))
        largest = xp.max(xp.where(weight > 0.0, scores, -1e30))
        total = xp.sum(xp.where(weight > 0.0, xp.exp(scores - xp.row(largest)), 0.0))
        return scores, largest, xp.where(total > 0.0, total, 1.0)

    @staticmethod
    def of_batch(anchor: Any, positive: Any, weight: Any) -> tuple[float, float]:
        counts, whole = np.flatnonzero(weight), 0.0
        for i in counts:
            others = [math.exp(anchor[i] @ positive[j]) for j in counts]
            whole += weight[i] * (math.log(sum(others)) - anchor[i] @ positive[i])
        return whole, float(weight.sum())


SEPARABLE = (Cosine(), Quantiles(), Gaussian(), Triplet(), Distillation(), ImageDice())
POOLED = (BatchDice(), Cox(), InfoNCE())
each_loss = pytest.mark.parametrize("loss", [*SEPARABLE, *POOLED], ids=repr)
in_each = pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)


def inputs_of(loss: Any, random: Any, rows: int = N) -> dict[str, Any]:
    """A batch, by the domains alone; the times of a few entries tie."""

    def array(domain: Domain) -> Any:
        shape = (rows, *(domain.size or size for size in (3, 2)[: domain.axes]))
        if domain.indices:
            return random.integers(0, 3, size=shape)
        low = 0.05 if isinstance(domain, Probability | Positive) or "Probability" in repr(domain) else -2.0
        return random.uniform(low, 0.95, size=shape)

    inputs = {name: array(domain) for name, domain in loss.domains.items()}
    if "time" in inputs:
        inputs["time"], inputs["event"] = np.round(inputs["time"] * 4) + 1, np.round(inputs["event"])
    return inputs


@pytest.mark.parametrize("loss", [Cosine(), Quantiles(), Gaussian(), ImageDice()], ids=repr)
def test_the_judge_and_the_points_follow_the_axes_of_each_input(loss: Any, monkeypatch: Any) -> None:
    for module in (grid, accuracy_grid):
        monkeypatch.setattr(module, "CLASSES", 3)  # one entry for each level
    torch = pytest.importorskip("torch")
    first, second = grid.ordinary(loss, np.random.default_rng(0), rows=4).values()
    p, y = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (first, second))
    loss(prediction=p, target=y, reduction="sum").backward()
    for of_target, wanted in ((False, p.grad), (True, y.grad)):
        low, high = judge_gradient(loss, first, second, of_target=of_target)
        assert (low == high).all()
        np.testing.assert_allclose(low.astype(float), wanted.numpy(), rtol=1e-9, atol=1e-12)
    values = loss.values(prediction=first, target=second)
    np.testing.assert_allclose(judge(loss, first, second).astype(float), values, rtol=1e-12)
    if not loss.prediction.axes > 1:
        prediction, target = accuracy_grid.points(loss, "float32", random=20, hard=40)
        assert prediction.ndim - target.ndim == loss.prediction.axes - loss.target.axes
        assert len(prediction) == len(target) > 40


def expected(loss: Any, inputs: dict[str, Any], weight: Any, reduction: str) -> float:
    """By plain loops, from the definitions."""
    if loss.pooled:
        whole, divisor = type(loss).of_batch(*inputs.values(), weight)
    else:
        each = [type(loss).of_entry(*entry) for entry in zip(*inputs.values(), strict=True)]
        whole, divisor = float(np.dot(weight, each)), float(weight.sum())
    return whole / divisor if reduction == "mean" else whole


def as_arrays(framework: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: framework.array(x, None if x.dtype.kind == "i" else "float64") for name, x in inputs.items()}


@each_loss
@in_each
@pytest.mark.parametrize("dtype", ["float64"])
def test_the_value_is_what_its_definition_says(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, weight = inputs_of(loss, random), random.uniform(0.5, 2.0, size=N)
    arrays = as_arrays(framework, inputs)
    for reduction in ("mean", "sum"):
        plain, weighed = loss(**arrays, reduction=reduction), loss(**arrays, weight=weight, reduction=reduction)
        assert float(framework.numpy(plain)) == pytest.approx(expected(loss, inputs, np.ones(N), reduction), rel=1e-12)
        assert float(framework.numpy(weighed)) == pytest.approx(expected(loss, inputs, weight, reduction), rel=1e-12)
    total = loss.total(**arrays, weight=weight)
    assert float(total.mean) == pytest.approx(expected(loss, inputs, weight, "mean"), rel=1e-12)


@each_loss
@in_each
@pytest.mark.parametrize("dtype", ["float64"])
def test_what_is_dropped_might_as_well_not_be_there(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, counts = inputs_of(loss, random), np.arange(N) % 3 != 1
    kept = {name: x[counts] for name, x in inputs.items()}
    torn = {
        name: np.where(counts.reshape(-1, *(1,) * (x.ndim - 1)), x, 99 if x.dtype.kind == "i" else np.nan)
        for name, x in inputs.items()
    }
    wanted = expected(loss, kept, np.ones(counts.sum()), "mean")
    for leaving_out in ({"where": counts}, {"weight": counts.astype(float)}):
        value = loss(**as_arrays(framework, torn), **leaving_out)
        assert float(framework.numpy(value)) == pytest.approx(wanted, rel=1e-12)


@each_loss
@pytest.mark.parametrize("framework", [name for name in FRAMEWORKS if name != "numpy"], indirect=True)
@pytest.mark.parametrize("dtype", ["float64"])
def test_derivatives_by_each_input_and_by_the_weight(loss: Any, framework: Any, dtype: str, random: Any) -> None:
    inputs, weight = inputs_of(loss, random), random.uniform(0.5, 2.0, size=N)
    arrays = as_arrays(framework, inputs)
    floats = [name for name, domain in loss.domains.items() if not domain.indices and name not in ("time", "event")]
    for name in (*floats, "weight"):
        at = weight if name == "weight" else inputs[name]
        fixed = {"weight": framework.array(weight, "float64"), **arrays}

        def mean(x: Any, name: str = name, fixed: dict[str, Any] = fixed) -> Any:
            return loss(**{**fixed, name: x})

        _, slope = framework.pulled(mean, framework.array(at, "float64"))
        wanted = np.empty_like(at)
        for place in np.ndindex(at.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = {"weight": weight, **inputs, name: at.copy()}
                moved[name][place] += step
                own = moved.pop("weight")
                ends.append(expected(loss, moved, own, "mean"))
            wanted[place] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(framework.numpy(slope), wanted, atol=2e-8, rtol=1e-6, err_msg=name)


@pytest.mark.parametrize("loss", [loss for loss in (*SEPARABLE, *POOLED) if loss.has_gradient], ids=repr)
def test_numpy_has_the_gradient_of_each_learned_input(loss: Any, random: Any) -> None:
    torch = pytest.importorskip("torch")
    inputs, weight = inputs_of(loss, random), random.uniform(0.5, 2.0, size=N)
    value, gradients = loss.value_and_gradient(**inputs, weight=weight)
    gradients = gradients if len(loss.learned) > 1 else (gradients,)
    arrays = {name: torch.tensor(x, requires_grad=name in loss.learned) for name, x in inputs.items()}
    whole = loss(**arrays, weight=weight)
    whole.backward()
    assert value == pytest.approx(whole.item(), rel=1e-12)
    for name, gradient in zip(loss.learned, gradients, strict=True):
        assert gradient.shape == inputs[name].shape
        np.testing.assert_allclose(gradient, arrays[name].grad, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("loss", SEPARABLE, ids=repr)
def test_parts_add_up_to_the_whole_where_entries_have_losses(loss: Any, random: Any) -> None:
    inputs, weight = inputs_of(loss, random), random.uniform(0.5, 2.0, size=N)
    parts = [
        loss.total(**{name: x[part] for name, x in inputs.items()}, weight=weight[part])
        for part in (slice(0, 1), slice(1, 4), slice(4, N))
    ]
    assert sum(parts).mean == pytest.approx(loss(**inputs, weight=weight), rel=1e-12)
    each = loss.values(**inputs)
    order = random.permutation(N)
    np.testing.assert_allclose(loss.values(**{name: x[order] for name, x in inputs.items()}), each[order], rtol=1e-13)


@pytest.mark.parametrize("loss", POOLED, ids=repr)
@in_each
def test_a_batch_is_not_the_sum_of_its_parts(loss: Any, framework: Any, random: Any) -> None:
    inputs = as_arrays(framework, inputs_of(loss, random))
    with pytest.raises(errors.ParameterError, match="whole batch"):
        loss(**inputs, reduction="none")
    with pytest.raises(errors.ParameterError, match="whole batch"):
        loss.values(**inputs)
    total = loss.total(**inputs)
    with pytest.raises(errors.UsageError, match="do not add"):
        total + total
    with pytest.raises(errors.UsageError, match="do not add"):
        sum([total, total])


def test_adapters_take_what_the_loss_takes(random: Any) -> None:
    import jax
    import torch

    for loss in (*SEPARABLE, *POOLED):
        inputs = inputs_of(loss, random)
        wanted = expected(loss, inputs, np.ones(N), "mean")
        arrays = [torch.tensor(x) for x in inputs.values()]
        criterion = loss.torch()
        rest = dict(list(zip(inputs, arrays, strict=True))[2:])
        for value in (criterion(*arrays), criterion(*arrays[:2], **rest), criterion.total(*arrays).mean):
            assert value.item() == pytest.approx(wanted, rel=1e-6), loss
        assert pickle.loads(pickle.dumps(criterion))(*arrays).item() == pytest.approx(wanted, rel=1e-6)
        function = loss.jax()
        for value in (function(*inputs.values()).mean(), jax.jit(function)(*inputs.values()).mean()):
            assert float(value) == pytest.approx(wanted, rel=2e-5), loss
        with pytest.raises(errors.UsageError, match="takes"):
            criterion(*arrays, arrays[0])
        with pytest.raises(errors.UsageError, match="takes"):
            function(*inputs.values(), 1.0)


def test_keras_and_scikit_learn_take_a_prediction_and_a_target(random: Any) -> None:
    for loss in (Cosine(), Quantiles(), Gaussian(), ImageDice(), BatchDice()):
        inputs = inputs_of(loss, random)
        wanted = expected(loss, inputs, np.ones(N), "mean")
        hosted = loss.keras()(inputs["target"].astype("float32"), inputs["prediction"].astype("float32"))
        assert float(hosted) == pytest.approx(wanted, rel=2e-5), loss
        assert loss.sklearn().metric(inputs["target"], inputs["prediction"]) == pytest.approx(wanted, rel=1e-12)
    inputs, where = inputs_of(BatchDice(), random), np.arange(N) % 2 == 0
    kept = {name: x[where] for name, x in inputs.items()}
    weighed = BatchDice().keras()(inputs["target"], inputs["prediction"].astype("float32"), where.astype("float32"))
    assert float(weighed) == pytest.approx(expected(BatchDice(), kept, np.ones(3), "mean"), rel=2e-5)
    for host in ("keras", "sklearn"):
        for loss in (Cox(), Triplet(), InfoNCE()):
            with pytest.raises(errors.UsageError, match=r"calls losses with \(y_true, y_pred\)"):
                getattr(loss, host)()
    with pytest.raises(errors.ParameterError, match="whole batch"):
        BatchDice().keras(reduction="none")


def test_explain_says_that_it_cannot_look_at_a_whole_batch(random: Any) -> None:
    inputs = inputs_of(Cox(), random)
    with pytest.warns(UserWarning, match="1 calls could not be looked at"), lossary.explain():
        Cox()(**inputs)


@pytest.mark.parametrize("loss", [Gaussian(), Triplet(), Cox(), InfoNCE()], ids=repr)
def test_compiled_like_eager(loss: Any, random: Any) -> None:
    import torch

    layer = torch.nn.Linear(2, 2, dtype=torch.float64)
    inputs = {name: torch.tensor(x) for name, x in inputs_of(loss, random).items()}
    criterion = loss.torch()

    def step(first: Any, *others: Any) -> Any:
        return criterion(layer(first).sum(-1) if loss.prediction.axes == 0 else layer(first), *others)

    first, *others = inputs.values()
    first = torch.tensor(random.normal(size=(N, 2))) if first.dim() == 1 else first[:, :2]
    call = [first, *(x[:, :2] if x.dim() > 1 else x for x in others)]
    results = []
    for function in (step, torch.compile(step, backend="aot_eager", fullgraph=True)):
        layer.zero_grad()
        value = function(*call)
        value.backward()
        results.append((value.item(), layer.weight.grad.clone()))
    (value, gradient), (compiled, of_compiled) = results
    assert compiled == pytest.approx(value, rel=1e-12)
    torch.testing.assert_close(of_compiled, gradient, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    ("base", "domains", "match"),
    [
        (Rowwise, (Real(), Real()), r"write prediction = Row\(Real\(\)\)"),
        (Pointwise, (Row(Real()), Row(Real())), "derive it from Rowwise"),
        (Pointwise, (Real(), ClassIndex()), None),
        (Rowwise, (Row(Real()), Row(Row(Real()))), "more axes"),
        (Rowwise, (Real(), Learned(Real())), "learned first"),
    ],
)
def test_shapes_mean_what_they_say_or_are_refused(base: Any, domains: Any, match: str | None) -> None:
    def define() -> Any:
        names = {"prediction": domains[0], "target": domains[1], "task": "regression", "__doc__": "Of a test."}
        return type("Odd", (base,), {**names, "value": lambda self, xp, p, y: p - y, "__module__": __name__})

    if match is None:
        define()
        return
    with pytest.raises(TypeError, match=match):
        define()


def test_columns_are_named_in_errors(random: Any) -> None:
    with pytest.raises(errors.ShapeError, match=r"rows of 2 columns, mean .* and log_scale") as caught:
        Gaussian()(prediction=random.normal(size=(4, 3)), target=random.normal(size=4))
    assert "column 1" not in str(caught.value) or "log_scale" in str(caught.value)
    with pytest.raises(errors.ShapeError, match="without its last axis"):
        Gaussian()(prediction=random.normal(size=(4, 2)), target=random.normal(size=(4, 2)))


def test_inputs_are_named() -> None:
    assert Cox().inputs == ("prediction", "time", "event")
    assert Triplet().inputs == Triplet().learned == ("anchor", "positive", "negative")
    with pytest.raises(errors.UsageError, match="Cox needs event="):
        Cox()(prediction=[1.0], time=[1.0])
    with pytest.raises(errors.UsageError, match="takes prediction=, time= and event= by name"):
        Cox()(prediction=[1.0], target=[1.0])


def objectives() -> list[Callable[[], Any]]:
    return [lambda: Cox() + Quantiles(), lambda: Triplet() + Cosine()]


@pytest.mark.parametrize("build", objectives())
def test_an_objective_is_of_one_shape(build: Callable[[], Any]) -> None:
    with pytest.raises(errors.ParameterError, match="same inputs"):
        build()


def test_an_objective_of_a_shape_of_its_own(random: Any) -> None:
    inputs = inputs_of(InfoNCE(), random)
    assert (2.0 * InfoNCE())(**inputs) == pytest.approx(2.0 * InfoNCE()(**inputs))


def test_columns_without_names_are_numbered_in_the_formula() -> None:
    class Sides(Rowwise):
        """Of a test: the difference of two columns, against a number."""

        task = "regression"
        prediction, target = Row(Real()), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            low, high = xp.columns(p, 2)
            return xp.abs(high - low - y)

    assert formula(Sides()).text == "|ŷ[1] - ŷ[0] - y|"
    assert formula(Sides()).latex == r"\left|\hat{y}_1 - \hat{y}_0 - y\right|"
