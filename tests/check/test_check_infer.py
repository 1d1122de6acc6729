"""What `lossary check` finds out about a loss by looking, and which losses a target on the command line names."""

from __future__ import annotations

import functools
import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import lossary
from lossary.check.inference import find
from lossary.check.inference.infer import subject
from lossary.define.domains.classes import ClassIndex, Labels, Logits, Simplex
from lossary.define.domains.numbers import Positive, Probability, Real, Score
from lossary.errors import DataError, LossaryError, MissingExtraError, UnknownNameError, UsageError
from tests.grid import DEFAULTS, EACH, SHAPED

REAL = (Real(), Real())
POSITIVE = (Positive(), Positive())
SCORES = (Score(logit=False), Labels())
LOGITS = (Score(), Probability())
PROBABILITIES = (Probability(), Probability())
HARD = (Probability(), Labels((0.0, 1.0)))
ROWS = (Logits(), Simplex(one_hot=True))
SHARES = (Simplex(), Simplex(one_hot=True))
INDICES = (Logits(), ClassIndex())
LOGARITHMS = Simplex(logarithms=True)


def named(dotted: str) -> Any:
    """What a dotted name is."""
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


# ── the frameworks' own ──────────────────────────────────────────────────────────────────────────────────────────────

KNOWN = {
    "torch.nn.MSELoss": (REAL, "mean"),
    "torch.nn.L1Loss": (REAL, "mean"),
    "torch.nn.HuberLoss": (REAL, "mean"),
    "torch.nn.SmoothL1Loss": (REAL, "mean"),
    "torch.nn.BCELoss": (PROBABILITIES, "mean"),
    "torch.nn.BCEWithLogitsLoss": (LOGITS, "mean"),
    "torch.nn.CrossEntropyLoss": (INDICES, "mean"),
    "torch.nn.NLLLoss": ((LOGARITHMS, ClassIndex()), "mean"),
    "torch.nn.KLDivLoss": ((LOGARITHMS, Simplex()), "mean"),
    "torch.nn.SoftMarginLoss": ((Score(), Labels()), "mean"),
    "torch.nn.PoissonNLLLoss": ((Real(), Positive()), "mean"),
    "torch.nn.HingeEmbeddingLoss": ((Positive(), Labels()), "mean"),
    "torch.nn.MultiMarginLoss": (INDICES, "mean"),
    "torch.nn.functional.mse_loss": (REAL, "mean"),
    "torch.nn.functional.huber_loss": (REAL, "mean"),
    "torch.nn.functional.binary_cross_entropy": (PROBABILITIES, "mean"),
    "torch.nn.functional.binary_cross_entropy_with_logits": (LOGITS, "mean"),
    "torch.nn.functional.cross_entropy": (INDICES, "mean"),
    "torch.nn.functional.nll_loss": ((LOGARITHMS, ClassIndex()), "mean"),
    "torch.nn.functional.kl_div": ((LOGARITHMS, Simplex()), "mean"),
    "keras.losses.MeanSquaredError": (REAL, "mean"),
    "keras.losses.MeanSquaredLogarithmicError": (POSITIVE, "mean"),
    "keras.losses.Poisson": (POSITIVE, "mean"),
    "keras.losses.BinaryCrossentropy": (PROBABILITIES, "mean"),
    "keras.losses.BinaryFocalCrossentropy": (PROBABILITIES, "mean"),
    "keras.losses.Dice": (PROBABILITIES, "mean"),
    "keras.losses.Hinge": (SCORES, "mean"),
    "keras.losses.CategoricalHinge": (ROWS, "mean"),
    "keras.losses.CategoricalCrossentropy": (SHARES, "mean"),
    "keras.losses.SparseCategoricalCrossentropy": ((Simplex(), ClassIndex()), "mean"),
    "keras.losses.KLDivergence": ((Simplex(), Simplex()), "mean"),
    "keras.losses.huber": (REAL, "none"),
    "keras.losses.binary_crossentropy": (PROBABILITIES, "none"),
    "keras.losses.squared_hinge": (SCORES, "none"),
    "optax.squared_error": (REAL, "none"),
    "optax.huber_loss": (REAL, "none"),
    "optax.sigmoid_binary_cross_entropy": (LOGITS, "none"),
    "optax.hinge_loss": (SCORES, "none"),
    "optax.softmax_cross_entropy": (ROWS, "none"),
    "optax.softmax_cross_entropy_with_integer_labels": (INDICES, "none"),
    "optax.kl_divergence": ((LOGARITHMS, Simplex()), "none"),
    "optax.losses.kl_divergence_with_log_targets": ((LOGARITHMS, LOGARITHMS), "none"),
    "sklearn.metrics.mean_squared_error": (REAL, "mean"),
    "sklearn.metrics.mean_pinball_loss": (REAL, "mean"),
    "sklearn.metrics.mean_poisson_deviance": (POSITIVE, "mean"),
    "sklearn.metrics.log_loss": (HARD, "mean"),
    "sklearn.metrics.brier_score_loss": (HARD, "mean"),
    "sklearn.metrics.hinge_loss": (SCORES, "mean"),
}
HOSTS = {"torch": "torch", "keras": "keras", "optax": "jax", "sklearn": "numpy"}


@pytest.mark.parametrize("name", KNOWN)
def test_losses_of_the_frameworks_are_what_they_are(name: str) -> None:
    pytest.importorskip(name.partition(".")[0])
    (prediction, target), reduction = KNOWN[name]
    found = subject(named(name))
    assert (found.prediction, found.target, found.reduction) == (prediction, target, reduction)
    assert found.host == HOSTS[name.partition(".")[0]]
    assert found.convention.target_first == (found.host in ("keras", "numpy"))
    assert np.isfinite(found.values(*found.batch(4))).all()


@pytest.mark.parametrize("name", ["torch.nn.HuberLoss", "keras.losses.Huber", "torch.nn.functional.huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_reproducers_of_losses_with_settings_run(name: str, reduction: Any) -> None:
    pytest.importorskip(name.partition(".")[0])
    loss = named(name)
    made = loss(delta=0.5) if isinstance(loss, type) else functools.partial(loss, delta=0.5)
    found = subject(made)
    assert found.reduces(reduction)
    assert found.settings == {"delta": 0.5}
    p, y = found.batch(4)
    wanted = found.values(p, y, reduction=reduction)
    code = found.code(p, y, reduction=reduction)
    known: dict[str, Any] = {}
    exec("; ".join(each for each in (found.backend.imports, found.imports) if each), known)
    shown = eval(code.removeprefix("print(").removesuffix(")"), known)
    assert np.allclose(found.backend.numpy(shown), wanted)


def test_options_of_instances_are_seen() -> None:
    torch = pytest.importorskip("torch")
    found = subject(torch.nn.CrossEntropyLoss(ignore_index=7, reduction="sum"))
    assert (found.ignored, found.reduction, found.class_axis) == (7, "sum", 1)
    assert subject(torch.nn.KLDivLoss(log_target=True, reduction="batchmean")).target == LOGARITHMS
    made = found.constructor
    assert made is not None
    assert dict(made.reductions) == {"mean": "mean", "sum": "sum", "none": "none"}
    assert found.values(*found.batch(4), reduction="none").shape == (4,)


def test_keras_by_name() -> None:
    pytest.importorskip("keras")
    found = subject("huber")
    assert (found.host, found.source) == ("keras", "keras.losses.get('huber')")
    with pytest.raises(UnknownNameError, match="no loss 'hubber'"):
        subject("hubber")


# ── lossary's own ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("loss", [loss for loss in SHAPED if loss in EACH], ids=repr)
def test_losses_of_whole_batches_are_not_judged(loss: Any) -> None:
    with pytest.raises(UsageError, match="which no rule here can judge"):
        subject(loss)
    with pytest.raises(UsageError, match=f"lossary show {type(loss).__name__} --claims"):
        subject(loss.torch())


@pytest.mark.parametrize("definition", map(type, DEFAULTS), ids=lambda each: each.__name__)
@pytest.mark.parametrize("host", ["lossary", "torch", "keras", "jax"])
def test_lossary_says_itself_what_it_is(definition: Any, host: str) -> None:
    if host != "lossary":
        pytest.importorskip(host)
    loss = definition()
    found = subject(loss if host == "lossary" else getattr(loss, host)())
    assert (found.definition, found.prediction, found.target) == (loss, loss.prediction, loss.target)
    assert found.claimed_properties == loss.claims
    assert found.reduction == ("none" if host == "jax" else "mean")
    assert found.settings == {name: x for name, x in loss.settings.items() if type(x) in (int, float)}
    p, y = found.batch(4)
    # The framework-free call in float64 judges the host's.
    wanted = loss.values(prediction=p.astype("float64"), target=y)
    assert np.allclose(found.rows(p, y), wanted.reshape(4, -1).mean(axis=1), rtol=1e-5)
    known: dict[str, Any] = {}
    exec(found.imports, known)
    assert eval(found.source, known) is not None


def test_lossary_brings_its_gradient() -> None:
    found = subject(lossary.Huber(0.5))
    p, y = found.batch(4)
    assert np.allclose(found.gradient(p, y, reduction="none"), np.clip(p - y, -0.5, 0.5))
    assert not subject(lossary.ZeroOne()).differentiates
    objective = subject(0.5 * lossary.Huber(1.0) + 2.0 * lossary.MeanSquaredError())
    want = 0.5 * np.clip(p - y, -1.0, 1.0) + 4.0 * (p - y)
    assert np.allclose(objective.gradient(p, y, reduction="none"), want, rtol=1e-5)


# ── functions by hand ────────────────────────────────────────────────────────────────────────────────────────────────


def softplus(x: Any) -> Any:
    return np.logaddexp(0.0, x)


def log_softmax(z: Any) -> Any:
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def by_hand_squared(a, b):
    return np.mean((a - b) ** 2)


def by_hand_asymmetric(prediction, target):
    return np.sum(np.maximum(0.9 * (target - prediction), 0.1 * (prediction - target)))


def by_hand_logits(x, y):
    return np.mean(softplus(x) - x * y)


def by_hand_probabilities(p, y):
    return -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))


def by_hand_clipped(p, y):
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def by_hand_margin(p, y):
    return np.maximum(0.0, 1.0 - p * y).mean()


def by_hand_logistic(p, y):
    return softplus(-p * y).mean()


def by_hand_softmax(z, onehot):
    return -(onehot * log_softmax(z)).sum(axis=-1).mean()


def by_hand_indices(z, k):
    return -np.take_along_axis(log_softmax(z), k[:, None], axis=-1)[:, 0]


def by_hand_shares(p, q):
    return -(q * np.log(p)).sum(axis=-1)


def by_hand_divergence(p, q):
    return (q * np.log(q / p)).sum(axis=-1)


def by_hand_log_probabilities(logp, k):
    return -np.mean(logp[np.arange(len(k)), k])


def by_hand_target_first(y_true, y_pred):
    return (softplus(y_pred) - y_true * y_pred).mean()


def by_hand_swapped(u, v):
    return (softplus(v) - u * v).mean()


BY_HAND = {
    by_hand_squared: ("regression", REAL, "mean"),
    by_hand_asymmetric: ("regression", REAL, "sum"),
    by_hand_logits: ("binary", LOGITS, "mean"),
    by_hand_probabilities: ("binary", PROBABILITIES, "mean"),
    by_hand_clipped: ("binary", PROBABILITIES, "none"),
    by_hand_margin: ("binary", SCORES, "mean"),
    by_hand_logistic: ("binary", (Score(), Labels()), "mean"),
    by_hand_softmax: ("multiclass", ROWS, "mean"),
    by_hand_indices: ("sparse", INDICES, "none"),
    by_hand_shares: ("multiclass", SHARES, "none"),
    by_hand_divergence: ("distribution", (Simplex(), Simplex()), "none"),
    by_hand_log_probabilities: ("sparse", (LOGARITHMS, ClassIndex()), "mean"),
    by_hand_target_first: ("binary", LOGITS, "mean"),
    by_hand_swapped: ("binary", LOGITS, "mean"),
}


@pytest.mark.parametrize("loss", BY_HAND, ids=lambda loss: loss.__name__)
def test_behaviour_tells_the_task(loss: Callable[..., Any]) -> None:
    task, (prediction, target), reduction = BY_HAND[loss]
    found = subject(loss)
    assert (found.prediction, found.target, found.reduction) == (prediction, target, reduction)
    assert task in found.inferred
    assert found.convention.target_first == (loss in (by_hand_target_first, by_hand_swapped))
    assert found.inferred[0].startswith("NumPy function (")
    assert found.line > 1
    assert Path(found.path).name == "test_check_infer.py"


@pytest.mark.parametrize("name", ["torch", "keras.ops", "jax.numpy"])
def test_the_framework_is_seen_in_the_code(name: str) -> None:
    pytest.importorskip(name.partition(".")[0])
    xp = importlib.import_module(name)

    def loss(prediction, target):
        return xp.mean((prediction - target) ** 2)

    found = subject(loss)
    assert found.host == name.partition(".")[0]
    assert (found.prediction, found.target, found.reduction) == (*REAL, "mean")


def test_an_import_inside_the_function_is_seen() -> None:
    pytest.importorskip("torch")

    def loss(logits, labels):
        from torch.nn.functional import binary_cross_entropy_with_logits

        return binary_cross_entropy_with_logits(logits, labels)

    found = subject(loss)
    assert (found.host, found.prediction) == ("torch", Score())


def test_weights_masks_and_reductions_are_found() -> None:
    def loss(y_true, y_pred, *, sample_weight=None, mask=None, reduction="mean", class_weight=None):
        values = (y_pred - y_true) ** 2
        values = values if sample_weight is None else values * sample_weight
        values = values if mask is None else values * mask
        return {"mean": np.mean, "sum": np.sum, "none": np.asarray}[reduction](values)

    found = subject(loss)
    spoken = found.convention
    assert (spoken.weight, spoken.mask, spoken.reduction) == ("sample_weight", "mask", "reduction")
    assert dict(spoken.reductions) == {"mean": "mean", "sum": "sum", "none": "none"}
    assert found.separates


def test_class_weights_are_no_weights_of_rows() -> None:
    pytest.importorskip("torch")
    assert subject(named("torch.nn.functional.cross_entropy")).convention.weight is None
    assert subject(named("torch.nn.functional.binary_cross_entropy")).convention.weight == "weight"


def test_a_word_that_a_loss_does_not_know_is_not_offered() -> None:
    def loss(prediction, target, reduction="mean"):
        return {"mean": np.mean, "sum": np.sum}[reduction]((prediction - target) ** 2)

    found = subject(loss)
    assert set(found.convention.reductions) == {"mean", "sum"}
    assert not found.separates


def test_modules_and_losses_of_users() -> None:
    torch = pytest.importorskip("torch")

    class Scaled(torch.nn.Module):
        def __init__(self, scale: float = 2.0, reduction: str = "mean") -> None:
            super().__init__()
            self.scale, self.reduction = scale, reduction

        def forward(self, logits, target):
            values = torch.nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none")
            return self.scale * (values if self.reduction == "none" else values.mean())

    found = subject(Scaled(3.0))
    assert (found.host, found.prediction, found.settings) == ("torch", Score(), {"scale": 3.0})
    assert found.expression("p", "y", reduction="none") == "Scaled(scale=3.0, reduction='none')(p, y)"
    assert found.reduces("none")
    assert float(found.with_settings(scale=6.0)(torch.zeros(1), torch.zeros(1))) == pytest.approx(6 * np.log(2))
    assert subject(functools.partial(Scaled, scale=5.0)).settings == {"scale": 5.0}


def test_keras_losses_of_users() -> None:
    keras = pytest.importorskip("keras")

    class Cubed(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** 3, axis=-1)

    found = subject(Cubed)
    assert (found.host, found.prediction, found.reduction, found.entry) == ("keras", Real(), "mean", (1,))
    assert found.convention.weight == "sample_weight"
    assert found.values(*found.batch(4)).shape == (4,)


# ── gradients that NumPy losses bring ────────────────────────────────────────────────────────────────────────────────


def squared(prediction, target):
    return np.mean((prediction - target) ** 2)


squared.gradient = lambda prediction, target: 2.0 * (prediction - target) / prediction.size  # type: ignore[attr-defined]  # functions do carry it


class Squared:
    def __call__(self, y_true, y_pred):
        return np.mean((y_true - y_pred) ** 2)

    def value_and_gradient(self, y_true, y_pred):
        return self(y_true, y_pred), 2.0 * (y_pred - y_true) / y_true.size


def squared_pair(prediction, target):
    residual = prediction - target
    return np.mean(residual**2), 2.0 * residual / residual.size


@pytest.mark.parametrize("loss", [squared, Squared, Squared(), squared_pair], ids=["function", "class", "made", "pair"])
def test_gradients_that_losses_bring(loss: Any) -> None:
    found = subject(loss)
    p, y = found.batch(4)
    assert np.allclose(found.values(p, y), np.mean((p - y) ** 2))
    assert np.allclose(found.gradient(p, y), (p - y) / 2.0)
    known = {**found.namespace, "np": np}
    code = found.code(p, y, gradient=True)
    assert np.allclose(eval(code.removeprefix("print(").removesuffix(")"), known), (p - y) / 2.0)
    assert np.allclose(eval(found.code(p, y).removeprefix("print(").removesuffix(")"), known), np.mean((p - y) ** 2))


def logistic_objective(y_true, y_pred, sample_weight=None):
    probability = 1.0 / (1.0 + np.exp(-y_pred))
    gradient, hessian = probability - y_true, probability * (1.0 - probability)
    return (gradient, hessian) if sample_weight is None else (gradient * sample_weight, hessian * sample_weight)


def test_objectives_for_boosting() -> None:
    found = subject(logistic_objective)
    assert (found.host, found.prediction, found.reduction) == ("boosting", Score(), "none")
    assert found.convention.weight == "sample_weight"
    p, y = found.batch(4)
    share = 1.0 / (1.0 + np.exp(-p))
    assert np.allclose(found.values(p, y), share - y, atol=1e-6)
    assert np.allclose(found.gradient(p, y), share * (1.0 - share), atol=1e-6)
    assert subject(lambda y_true, y_pred: (y_pred - y_true, np.ones_like(y_pred))).prediction == Real()


# ── what is told, and what goes wrong ────────────────────────────────────────────────────────────────────────────────


def test_what_is_told_is_not_inferred() -> None:
    found = subject(by_hand_logits, task="regression", order="target-prediction", reduction="sum", framework="numpy")
    assert (found.prediction, found.reduction, found.convention.target_first) == (Real(), "sum", True)
    assert found.inferred == ("function (x, y)",)
    assert subject(by_hand_clipped, logits=True).prediction == Score()
    assert subject(by_hand_softmax, task="distribution").target == Simplex()
    assert subject(by_hand_squared, seed=3, settings={"a": 1.0}).settings == {"a": 1.0}


def raises(prediction, target):
    raise RuntimeError("no")


def exits(prediction, target):
    raise SystemExit(3)


def mutates(prediction, target):
    prediction -= target
    return (prediction**2).mean()


def test_losses_that_misbehave_are_understood_or_left_to_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    for loss in (raises, exits, lambda prediction, target: None, lambda prediction, target: "0.3"):
        assert "regression (assumed)" in subject(loss).inferred
    assert subject(mutates).prediction == Real()
    subject(lambda prediction, target: print("hello"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("loss", "told", "sentence"),
    [
        (3, {}, "must be callable"),
        (lambda x: x, {}, "must take two arrays"),
        (lambda prediction, target, temperature: 0.0, {}, "'temperature' must have a value"),
        (lambda prediction, target: 1.0, {}, "cannot be told"),
        (by_hand_squared, {"task": "clustering"}, "task must be one of"),
        (by_hand_squared, {"framework": "mxnet"}, "framework must be one of"),
        (by_hand_squared, {"reduction": "median"}, "reduction must be one of"),
        (by_hand_squared, {"order": "backwards"}, "order must be one of"),
    ],
)
def test_what_cannot_be_checked_is_refused(loss: Any, told: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        subject(loss, **told)


def test_a_class_that_needs_arguments_says_so() -> None:
    class Needs:
        def __init__(self, delta):
            self.delta = delta

        def __call__(self, prediction, target):
            return np.mean(np.abs(prediction - target)) * self.delta

    with pytest.raises(UsageError, match="Needs cannot be made without arguments"):
        subject(Needs)
    assert subject(functools.partial(Needs, delta=2.0)).settings == {"delta": 2.0}


def test_losses_of_more_than_pairs_are_refused() -> None:
    pytest.importorskip("keras")
    with pytest.raises(UsageError, match="CosineSimilarity compares more than"):
        subject(named("keras.losses.CosineSimilarity"))


# ── targets of the command line ──────────────────────────────────────────────────────────────────────────────────────

FILE = """import numpy as np
from helping import difference

print("imported")


def squared_loss(y_true, y_pred, power=2.0):
    return np.mean(np.abs(difference(y_true, y_pred)) ** power)


class Margin:
    def __init__(self, margin=1.0):
        self.margin = margin

    def __call__(self, y_true, y_pred):
        return np.maximum(0.0, self.margin - y_true * y_pred).mean()


def plot_loss(history, axes):
    pass


def accuracy(y_true, y_pred):
    return np.mean(y_true == y_pred)


ready = Margin(2.0)
count = 3
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with files in it; what they add to Python's path and modules is taken away afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "my_losses.py").write_text(FILE)
    (folder / "helping.py").write_text("def difference(a, b):\n    return a - b\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_all_losses_of_a_file_and_one(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = find.losses("mine/my_losses.py")
    assert [(each.name, each.path, each.line) for each in found] == [
        ("squared_loss", "mine/my_losses.py", 7),
        ("Margin", "mine/my_losses.py", 11),
        ("ready", "mine/my_losses.py", 27),
    ]
    (one,) = find.losses("mine/my_losses.py::squared_loss", {"power": 4.0})
    assert one.name == "squared_loss(power=4.0)"
    assert one.loss(np.zeros(2), np.full(2, 2.0)) == 16.0
    assert capsys.readouterr().out == "imported\n"  # once
    assert [each.name for each in find.losses("mine")] == ["squared_loss", "Margin", "ready"]


def test_reproducers_run_as_pasted_from_the_current_directory(here: Path) -> None:
    for target, arguments in (
        ("mine/my_losses.py::squared_loss", {"power": 4.0}),
        ("mine/my_losses.py::Margin", {"margin": 3.0}),
        ("mine/my_losses.py::ready", {}),
    ):
        (each,) = find.losses(target, arguments)
        found = subject(each.loss, source=each.source, imports=each.imports, task="regression")
        p, y = found.batch(2)
        code = "\n".join([f"import numpy as np; {found.imports}", found.code(p, y)])
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert float(done.stdout.split()[-1]) == pytest.approx(float(found.values(p, y)), rel=1e-6)


def test_packages_keep_their_relative_imports(here: Path) -> None:
    inner = here / "package" / "inner"
    inner.mkdir(parents=True)
    for folder in (inner, inner.parent):
        (folder / "__init__.py").write_text("")
    (inner / "helping.py").write_text("def square(x):\n    return x * x\n")
    text = "from .helping import square\n\ndef my_loss(pred, target):\n    return square(pred - target).mean()\n"
    (inner / "losses.py").write_text(text)
    (by_path,) = find.losses("package/inner/losses.py")
    (by_module,) = find.losses("package.inner.losses:my_loss")
    assert by_path.loss is by_module.loss
    assert by_path.imports == "from package.inner.losses import my_loss"


def test_two_files_of_one_name_are_two_modules(here: Path) -> None:
    for folder, value in (("first", 1.0), ("second", 2.0)):
        (here / folder).mkdir()
        (here / folder / "losses.py").write_text(f"def my_loss(prediction, target):\n    return {value}\n")
    (first,), (second,) = find.losses("first/losses.py"), find.losses("second/losses.py")
    assert (first.loss(0, 0), second.loss(0, 0)) == (1.0, 2.0)
    known: dict[str, Any] = {}
    exec(second.imports, known)
    assert known["my_loss"](0, 0) == 2.0
    with pytest.raises(DataError, match=r"two losses are called my_loss: first/losses.py:1 and second/losses.py:1"):
        find.losses(".")


def test_a_folder_runs_nothing_but_losses(here: Path) -> None:
    for name in ("train.py", "tests/test_it.py", ".hidden/losses.py", "test_losses.py"):
        (here / "mine" / name).parent.mkdir(exist_ok=True)
        (here / "mine" / name).write_text("raise RuntimeError('not to be run')\ndef f_loss(pred, target): ...\n")
    (here / "mine" / "train.py").write_text("raise RuntimeError('not to be run')\n")
    assert [each.name for each in find.losses("mine")] == ["squared_loss", "Margin", "ready"]


@pytest.mark.parametrize(
    ("target", "arguments", "error", "sentence"),
    [
        ("mine/my_loses.py", {}, UnknownNameError, r"no file 'mine/my_loses.py'; did you mean 'mine/my_losses.py'\?"),
        ("mine/my_losses.py::squared_los", {}, UnknownNameError, r"has no 'squared_los'; did you mean squared_loss\?"),
        ("mine/my_losses.py::count", {}, UsageError, "must be a function, a module or a class, not int"),
        ("mine/my_losses.py::Margin", {"margn": 1}, UsageError, r"takes no argument 'margn'; did you mean margin\?"),
        ("mine/my_losses.py::ready", {"margin": 1}, UsageError, "takes no argument 'margin'"),
        ("bad.py", {}, DataError, "bad.py:2: the file is no Python"),
        ("broken.py", {}, DataError, "broken.py:3: the file cannot be imported: ZeroDivisionError: division by zero"),
        ("needs.py", {}, DataError, "needs.py:1: the file cannot be imported: ModuleNotFoundError: .*not_there"),
        ("twice.py", {}, DataError, "twice.py defines my_loss twice, in lines 1 and 4"),
        ("empty.py", {}, DataError, "empty.py defines nothing that looks like a loss"),
        ("empty", {}, DataError, "no file in empty defines anything"),
        ("hubr", {}, UnknownNameError, r"no loss 'hubr', nor is there such a file; did you mean Huber\?"),
        ("twice", {}, UnknownNameError, r"did you mean twice.py\?"),
        ("numpy.nothing:loss", {}, UnknownNameError, "there is no module 'numpy.nothing'"),
        ("nothing.there:loss", {}, UnknownNameError, "there is no module 'nothing'"),
        ("math:hypo", {}, UnknownNameError, r"the module math has no 'hypo'; did you mean hypot\?"),
        ("math:pi", {}, UsageError, "not float"),
        ("xgboost:objective", {}, MissingExtraError, "xgboost is not installed"),
    ],
)
def test_bad_targets_are_one_clear_line(
    here: Path, target: str, arguments: dict[str, Any], error: type[LossaryError], sentence: str
) -> None:
    (here / "bad.py").write_text("x = 1\ndef f(:\n")
    (here / "broken.py").write_text("def my_loss(p, y): ...\n\n1 / 0\n")
    (here / "needs.py").write_text("import not_there\n")
    (here / "twice.py").write_text("def my_loss(p, y): ...\n\n\ndef my_loss(p, y): ...\n")
    (here / "empty.py").write_text("x = 1\n")
    (here / "empty").mkdir()
    with pytest.raises(error, match=sentence) as caught:
        find.losses(target, arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "target", ["torch.nn:HuberLoss", "keras.losses:Huber", "optax:huber_loss", "lossary.torch:Huber", "huber"]
)
def test_names_of_modules_and_of_the_catalogue(target: str) -> None:
    root = target.partition(":")[0].rpartition("lossary.")[2].partition(".")[0]
    if ":" in target:
        pytest.importorskip(root)
    (each,) = find.losses(target, {"delta": 0.5})
    found = subject(each.loss, source=each.source, imports=each.imports)
    assert found.settings["delta"] == 0.5
    assert found.definition == lossary.Huber(0.5)
    known: dict[str, Any] = {}
    exec("; ".join(each for each in (found.backend.imports, found.imports) if each), known)
    assert callable(eval(found.source, known))
