"""The peers' own test suites, with our losses where theirs were: what fails is known, and has its reason.

What fails without a reason fails here, and a reason for what does not fail does too.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import re
import types
import unittest
import warnings
from collections.abc import Callable
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch

import lossary.jax
import lossary.torch

pytestmark = pytest.mark.thorough


def explained(failed: dict[str, str], reasons: dict[str, str]) -> None:
    """Each failure matches one pattern of the reasons, and each pattern a failure."""
    unexplained = {name: text for name, text in failed.items() if not any(re.search(each, name) for each in reasons)}
    assert not unexplained
    assert not {each for each in reasons if not any(re.search(each, name) for name in failed)}


def failures(suite: types.ModuleType, classes: tuple[str, ...]) -> tuple[int, dict[str, str]]:
    """How many tests these classes have, and those that fail, with what they say."""
    load, result = unittest.TestLoader().loadTestsFromTestCase, unittest.TestResult()
    chosen = unittest.TestSuite(load(getattr(suite, name)) for name in classes)
    count = chosen.countTestCases()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the peers' own
        chosen.run(result)
    said = {test.id().partition("_test.")[2]: text for test, text in (*result.failures, *result.errors)}
    return count, said


# ── PyTorch: the inputs of its module tests ──────────────────────────────────────────────────────────────────────────

# How to make our module, of the options that PyTorch's has.
IN_PYTORCH: dict[str, Callable[..., Any]] = {
    "MSELoss": lossary.torch.MeanSquaredError,
    "L1Loss": lossary.torch.MeanAbsoluteError,
    "HuberLoss": lossary.torch.Huber,
    "BCELoss": lambda **options: lossary.torch.BinaryCrossEntropy(from_logits=False, **options),
    "BCEWithLogitsLoss": lossary.torch.BinaryCrossEntropy,
    "NLLLoss": lossary.torch.SparseCategoricalCrossEntropy,
    "CrossEntropyLoss": lossary.torch.SparseCategoricalCrossEntropy,
    "KLDivLoss": lossary.torch.KLDivergence,
}
OF_PYTORCH = {
    r"CrossEntropyLoss \w*prob_target_weights_": "docs/hosts.md: beside soft targets, a weight here counts for the row",
    r"CrossEntropyLoss 2d_ignore_index_mean$": "both of its rows are ignored: NaN there, 0 here",
    r"BCE\w+ weights$": "PyTorch repeats a weight of the last axis, (10,) beside (15, 10); here weights lead",
    r"BCE\w+ scalar_weights?$": "PyTorch divides a weighted mean by the number of entries; here it is Σwℓ / Σw",
    r"KLDivLoss (\w+)?batchmean$": "no such reduction: a row is one loss, and the mean is what PyTorch calls so",
    r"KLDivLoss scalar_": "a number alone is no distribution",
    r"KLDivLoss (reduction_sum|reduction_none|log_target)?$": "its inputs are no distributions: most of them are NaN",
}


@pytest.mark.parametrize("name", IN_PYTORCH)
def test_pytorch(name: str) -> None:
    known = pytest.importorskip("torch.testing._internal.common_modules", reason="PyTorch's inputs need expecttest")
    torch.manual_seed(0)
    info = next(each for each in known.module_db if each.name == f"nn.{name}")
    failed, given = {}, {"device": "cpu", "dtype": torch.float64, "requires_grad": True, "training": True}
    for case in info.module_inputs_func(info, **given):
        options, (input, target) = dict(case.constructor_input.kwargs), case.forward_input.args
        weight = options.pop("weight", None)
        weight = None if weight is None else weight.abs()  # some of theirs are negative
        peer, more = getattr(torch.nn, name), {}
        if name in {"NLLLoss", "CrossEntropyLoss"}:
            more = {} if weight is None else {"class_weight": tuple(weight.tolist())}
        make = lossary.torch.CategoricalCrossEntropy if "prob_target" in case.desc else IN_PYTORCH[name]
        of_log = name == "NLLLoss"  # which takes the logarithms that our loss makes
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                options_of_peer = options if weight is None else {**options, "weight": weight}
                theirs = peer(**options_of_peer)(
                    input.log_softmax(1 if input.dim() > 1 else 0) if of_log else input, target
                )
            ours = make(**options, **more)(input, target, None if more else weight)
            torch.testing.assert_close(ours, theirs)
            torch.testing.assert_close(*(torch.autograd.grad(each.sum(), input)[0] for each in (ours, theirs)))
        except (AssertionError, lossary.LossaryError) as error:
            failed[f"{name} {case.desc}"] = str(error)
    explained(failed, {each: reason for each, reason in OF_PYTORCH.items() if re.fullmatch(each.split(" ")[0], name)})


# ── Keras ────────────────────────────────────────────────────────────────────────────────────────────────────────────

IN_KERAS = {
    "MeanSquaredError": "MeanSquaredErrorTest",
    "MeanAbsoluteError": "MeanAbsoluteErrorTest",
    "Huber": "HuberLossTest",
    "LogCosh": "LogCoshTest",
    "Hinge": "HingeTest",
    "KLDivergence": "KLDivergenceTest",
    "BinaryCrossentropy": "BinaryCrossentropyTest",
    "CategoricalCrossentropy": "CategoricalCrossentropyTest",
    "SparseCategoricalCrossentropy": "SparseCategoricalCrossentropyTest",
}
_NOT_CLIPPED = "Keras clips probabilities, and divides rows by their sum, before it takes logarithms"
OF_KERAS = {
    r"^(Huber|LogCosh)\w*\.test_config$": "it compares the config with that of Keras' own class",
    r"^(Binary|Categorical)Cross\w*\.test_config$": "our losses have no axis: classes stand last",
    r"different_axis$|user_axis$": "as above",
    r"all_correct_unweighted$|^(Mean\w+|LogCosh)Test\.test_timestep_weighted$": "integers are no predictions here",
    r"^HingeTest\.": "Keras guesses from a batch whether labels are 0 and 1; here labels=(0, 1) says it",
    r"^KLDivergenceTest\.": "its rows are no distributions, which is refused",
    r"^BinaryCross\w+\.test_(un|scalar_|sample_)weighted$": _NOT_CLIPPED,
    r"^(Sparse)?CategoricalCross\w+\.test_(un|scalar_|sample_)weighted$": _NOT_CLIPPED,
}


def test_keras() -> None:
    keras = pytest.importorskip("keras")
    suite = importlib.import_module("keras.src.losses.losses_test")
    import lossary.keras

    def ours(name: str) -> Callable[..., Any]:
        cls = getattr(lossary.keras, name.replace("entropy", "Entropy"))
        takes_both = "from_logits" in cls.definition.__dataclass_fields__
        return lambda **options: cls(**({"from_logits": False} if takes_both else {}) | options)

    with contextlib.ExitStack() as stack:
        for name in IN_KERAS:
            stack.enter_context(mock.patch.object(suite.losses, name, ours(name)))
        count, failed = failures(suite, tuple(IN_KERAS.values()))
    assert count > 80
    assert keras.backend.backend()
    explained(failed, OF_KERAS)


# ── optax ────────────────────────────────────────────────────────────────────────────────────────────────────────────

IN_OPTAX: dict[str, dict[str, Any]] = {
    "_regression": {
        "squared_error": lossary.jax.MeanSquaredError,
        "huber_loss": lossary.jax.Huber,
        "log_cosh": lossary.jax.LogCosh,
    },
    "_classification": {
        "softmax_cross_entropy": lossary.jax.CategoricalCrossEntropy,
        "softmax_cross_entropy_with_integer_labels": lossary.jax.SparseCategoricalCrossEntropy,
        "sigmoid_binary_cross_entropy": lossary.jax.BinaryCrossEntropy,
        "hinge_loss": lossary.jax.Hinge,
        "kl_divergence": lossary.jax.KLDivergence,
        "kl_divergence_with_log_targets": functools.partial(lossary.jax.KLDivergence, log_target=True),
    },
}
CLASSES = {
    "_regression": ("SquaredErrorTest", "HuberLossTest", "LogCoshTest"),
    "_classification": (
        "SoftmaxCrossEntropyTest",
        "SoftmaxCrossEntropyWithIntegerLabelsTest",
        "SigmoidCrossEntropyTest",
        "HingeTest",
        "KLDivergenceTest",
        "KLDivergenceWithLogTargetsTest",
    ),
}
OF_OPTAX: dict[str, dict[str, str]] = {
    "_regression": {
        r"^HuberLossTest\.": "delta is traced by jit: hyper-parameters are constants, and a tracer is refused",
        r"predictions_only$": "optax takes no targets for zeros",
    },
    "_classification": {
        r"\.test_ax[ei]s": "our losses have no axis: classes stand last",
        r"\.test_per_logit_mask$": "where= leaves rows out; a class of a row is left out by a logit of minus infinity",
        r"\.test_mask\d": "the same: what is left of a target is no distribution, and is refused",
        r"^SoftmaxCrossEntropyTest\.test_gradient$": "numeric derivatives by targets step out of the distributions",
        r"^KLDivergenceTest\.test_batched$": "its second target adds up to 0.9, which is NaN in a trace",
    },
}


def in_optax(make: Callable[..., Any]) -> Callable[..., Any]:
    """Our function with optax' names of arguments."""

    def function(predictions: Any, targets: Any = None, *, labels: Any = None, **options: Any) -> Any:
        called = {name: options.pop(name) for name in ("where",) if name in options}
        return make(**options)(predictions, labels if targets is None else targets, **called)

    return function


@pytest.mark.parametrize("name", IN_OPTAX)
def test_optax(name: str) -> None:
    pytest.importorskip("optax")
    suite = importlib.import_module(f"optax.losses.{name}_test")
    with contextlib.ExitStack() as stack:
        for function, make in IN_OPTAX[name].items():
            stack.enter_context(mock.patch.object(getattr(suite, name), function, in_optax(make)))
        np.random.seed(0)
        count, failed = failures(suite, CLASSES[name])
    assert count >= 3 * len(CLASSES[name])
    explained(failed, OF_OPTAX[name])
