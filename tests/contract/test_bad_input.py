"""Bad input gets one error, the same in every framework: what was wanted, what came, and what to do."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import lossary
from lossary import (
    BinaryCrossEntropy,
    CategoricalCrossEntropy,
    Hinge,
    Huber,
    KLDivergence,
    Linex,
    MeanAbsoluteError,
    MeanSquaredError,
    MultiQuantile,
    Quantile,
    SparseCategoricalCrossEntropy,
    ZeroOne,
    errors,
)
from lossary.check.backends import backend as adapter
from tests.grid import DEFAULTS, FRAMEWORKS, cases

AUTODIFF = tuple(name for name in FRAMEWORKS if name != "numpy")


@dataclasses.dataclass(frozen=True)
class Case:
    """A call that must be refused. Arrays become the framework's own; lists, numbers and text stay what they are."""

    id: str
    error: type[Exception]
    loss: Any
    arrays: dict[str, Any]
    wanted: str
    received: str
    hint: str | None


def shape(*sizes: int) -> Any:
    return np.zeros(sizes, "float32")


def indices(*sizes: int) -> Any:
    return np.zeros(sizes, "int64")


def floats(*numbers: Any) -> Any:
    return np.array(numbers, "float32")


UNIFORM = np.full((2, 4), 0.25, "float32")


def case(id: str, error: Any, loss: Any, wanted: str, received: str, hint: str | None, /, **arrays: Any) -> Any:
    return pytest.param(Case(id, error, loss, arrays, wanted, received, hint), id=id)


REFUSED = [
    # ── shapes ───────────────────────────────────────────────────────────────────────────────────────────────────
    case(
        "column beside vector",
        errors.ShapeError,
        Huber(),
        "prediction and target must have the same shape",
        "prediction (3, 1) and target (3,). Broadcasting would compare every",
        "prediction.squeeze(-1), or target[:, None]",
        prediction=shape(3, 1),
        target=shape(3),
    ),
    case(
        "vector beside column",
        errors.ShapeError,
        MeanSquaredError(),
        "prediction and target must have the same shape",
        "prediction (3,) and target (3, 1). Broadcasting would compare every",
        "target.squeeze(-1), or prediction[:, None]",
        prediction=shape(3),
        target=shape(3, 1),
    ),
    case(
        "vector beside a column of lists",
        errors.ShapeError,
        MeanSquaredError(),
        "prediction and target must have the same shape",
        "prediction (2,) and target (2, 1).",
        "target.squeeze(-1)",
        prediction=shape(2),
        target=[[1.0], [2.0]],
    ),
    case(
        "unequal lengths",
        errors.ShapeError,
        MeanAbsoluteError(),
        "prediction and target must have the same shape",
        "prediction (3,) and target (4,)",
        "one target for each prediction",
        prediction=shape(3),
        target=shape(4),
    ),
    case(
        "one target for all",
        errors.ShapeError,
        Quantile(0.9),
        "prediction and target must have the same shape",
        "prediction (3,) and target (1,)",
        "one target for each prediction",
        prediction=shape(3),
        target=shape(1),
    ),
    case(
        "empty beside full",
        errors.ShapeError,
        Huber(),
        "prediction and target must have the same shape",
        "prediction (0,) and target (3,)",
        "one target for each prediction",
        prediction=shape(0),
        target=shape(3),
    ),
    case(
        "scalar target",
        errors.ShapeError,
        Huber(),
        "prediction and target must have the same shape",
        "prediction (3,) and target ()",
        "one target for each prediction",
        prediction=shape(3),
        target=1.0,
    ),
    case(
        "scalar prediction",
        errors.ShapeError,
        Huber(),
        "prediction and target must have the same shape",
        "prediction () and target (3,)",
        "one target for each prediction",
        prediction=shape(),
        target=shape(3),
    ),
    case(
        "transposed",
        errors.ShapeError,
        Huber(),
        "prediction and target must have the same shape",
        "prediction (2, 3) and target (3, 2)",
        "transposed",
        prediction=shape(2, 3),
        target=shape(3, 2),
    ),
    case(
        "transposed rows",
        errors.ShapeError,
        CategoricalCrossEntropy(),
        "prediction and target must have the same shape",
        "prediction (2, 4) and target (4, 2)",
        "transposed",
        prediction=shape(2, 4),
        target=shape(4, 2),
    ),
    case(
        "flattened",
        errors.ShapeError,
        BinaryCrossEntropy(),
        "prediction and target must have the same shape",
        "prediction (2, 3) and target (6,)",
        "one target for each prediction",
        prediction=shape(2, 3),
        target=shape(6),
    ),
    case(
        "trailing 1",
        errors.ShapeError,
        BinaryCrossEntropy(),
        "prediction and target must have the same shape",
        "prediction (2, 3) and target (2, 3, 1)",
        "target.squeeze(-1)",
        prediction=shape(2, 3),
        target=shape(2, 3, 1),
    ),
    case(
        "indices for rows",
        errors.ShapeError,
        CategoricalCrossEntropy(),
        "prediction and target must have the same shape",
        "prediction (2, 4) and target (2,)",
        "class indices belong to SparseCategoricalCrossEntropy",
        prediction=shape(2, 4),
        target=indices(2),
    ),
    case(
        "indices for distributions",
        errors.ShapeError,
        KLDivergence(),
        "prediction and target must have the same shape",
        "prediction (2, 4) and target (2,)",
        "class indices belong to SparseCategoricalCrossEntropy",
        prediction=shape(2, 4),
        target=indices(2),
    ),
    case(
        "another number of classes",
        errors.ShapeError,
        CategoricalCrossEntropy(),
        "prediction and target must have the same shape",
        "prediction (2, 4) and target (2, 3)",
        "one target for each prediction",
        prediction=shape(2, 4),
        target=shape(2, 3),
    ),
    case(
        "one-hot for indices",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(),
        "target must have the prediction's shape without its last axis",
        "prediction (2, 4) and target (2, 4)",
        "one-hot or soft rows belong to CategoricalCrossEntropy",
        prediction=shape(2, 4),
        target=indices(2, 4),
    ),
    case(
        "indices in a column",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(),
        "target must have the prediction's shape without its last axis",
        "prediction (2, 4) and target (2, 1)",
        "target.squeeze(-1)",
        prediction=shape(2, 4),
        target=indices(2, 1),
    ),
    case(
        "unequal lengths of indices",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(),
        "target must have the prediction's shape without its last axis",
        "prediction (2, 4) and target (3,)",
        "one class index for each row",
        prediction=shape(2, 4),
        target=indices(3),
    ),
    case(
        "wrong rank of indices",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(),
        "target must have the prediction's shape without its last axis",
        "prediction (2, 4) and target ()",
        "one class index for each row",
        prediction=shape(2, 4),
        target=1,
    ),
    case(
        "classes on axis 1",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(),
        "target must have the prediction's shape without its last axis",
        "prediction (2, 4, 5) and target (2, 5)",
        "classes stand on the last axis here",
        prediction=shape(2, 4, 5),
        target=indices(2, 5),
    ),
    case(
        "no axis of classes",
        errors.ShapeError,
        CategoricalCrossEntropy(),
        "prediction must have a last axis of classes",
        "prediction of shape ()",
        "one number for each class",
        prediction=shape(),
        target=1.0,
    ),
    case(
        "too few class weights",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(class_weight=(1, 2)),
        "class_weight must have one entry for each position",
        "2 entries and prediction (2, 4)",
        "last axis",
        prediction=shape(2, 4),
        target=indices(2),
    ),
    case(
        "too many positive weights",
        errors.ShapeError,
        BinaryCrossEntropy(pos_weight=(1, 2, 3)),
        "pos_weight must have one entry for each position",
        "3 entries and prediction (4, 2)",
        "last axis",
        prediction=shape(4, 2),
        target=shape(4, 2),
    ),
    case(
        "mis-shaped weight",
        errors.ShapeError,
        Huber(),
        "weight must have the losses' shape, (3,), or a leading part of it",
        "weight of shape (4,)",
        "weight has one entry for each prediction",
        prediction=shape(3),
        target=shape(3),
        weight=shape(4),
    ),
    case(
        "weight in a column",
        errors.ShapeError,
        Huber(),
        "weight must have the losses' shape, (3,)",
        "weight of shape (3, 1)",
        "weight has one entry for each prediction",
        prediction=shape(3),
        target=shape(3),
        weight=shape(3, 1),
    ),
    case(
        "weight per class",
        errors.ShapeError,
        CategoricalCrossEntropy(),
        "weight must have the losses' shape, (2,)",
        "weight of shape (4,)",
        "one entry for each row of the prediction",
        prediction=shape(2, 4),
        target=UNIFORM,
        weight=shape(4),
    ),
    case(
        "weight per entry of a row",
        errors.ShapeError,
        SparseCategoricalCrossEntropy(),
        "weight must have the losses' shape, (2,)",
        "weight of shape (2, 4)",
        "one entry for each row of the prediction",
        prediction=shape(2, 4),
        target=indices(2),
        weight=shape(2, 4),
    ),
    case(
        "weight for a trailing axis",
        errors.ShapeError,
        Huber(),
        "weight must have the losses' shape, (2, 3)",
        "weight of shape (3,)",
        "weight of shape (N,) counts rows. For one entry for each label",
        prediction=shape(2, 3),
        target=shape(2, 3),
        weight=shape(3),
    ),
    case(
        "mis-shaped mask",
        errors.ShapeError,
        Huber(),
        "where must have the losses' shape, (3,)",
        "where of shape (2,)",
        "where has one entry for each prediction",
        prediction=shape(3),
        target=shape(3),
        where=np.array([True, False]),
    ),
    # ── dtypes ───────────────────────────────────────────────────────────────────────────────────────────────────
    case(
        "integer prediction",
        errors.DtypeError,
        Huber(),
        "prediction must be floating point",
        "prediction of dtype int32",
        "are prediction and target swapped?",
        prediction=np.zeros(3, "int32"),
        target=shape(3),
    ),
    case(
        "unsigned prediction",
        errors.DtypeError,
        SparseCategoricalCrossEntropy(),
        "prediction must be floating point",
        "prediction of dtype uint8",
        "are prediction and target swapped?",
        prediction=np.zeros((2, 4), "uint8"),
        target=indices(2),
    ),
    case(
        "boolean prediction",
        errors.DtypeError,
        BinaryCrossEntropy(),
        "prediction must be floating point",
        "prediction of dtype bool",
        "are prediction and target swapped?",
        prediction=np.zeros(3, "bool"),
        target=shape(3),
    ),
    case(
        "complex prediction",
        errors.DtypeError,
        MeanSquaredError(),
        "prediction must be real numbers",
        "prediction of dtype complex64",
        "real part or magnitude",
        prediction=np.zeros(3, "complex64"),
        target=shape(3),
    ),
    case(
        "complex target",
        errors.DtypeError,
        MeanSquaredError(),
        "target must be real numbers",
        "target of dtype complex64",
        "real part or magnitude",
        prediction=shape(3),
        target=np.zeros(3, "complex64"),
    ),
    case(
        "complex numbers in a list",
        errors.DtypeError,
        MeanSquaredError(),
        "target must be real numbers",
        "target of dtype complex64",
        "real part or magnitude",
        prediction=shape(2),
        target=[np.complex64(1j)] * 2,
    ),
    case(
        "complex weight",
        errors.DtypeError,
        MeanSquaredError(),
        "weight must be real numbers",
        "weight of dtype complex64",
        "real part or magnitude",
        prediction=shape(3),
        target=shape(3),
        weight=np.zeros(3, "complex64"),
    ),
    case(
        "text as prediction",
        errors.DtypeError,
        Huber(),
        "prediction must be real numbers",
        "of text",
        "encode text as numbers first",
        prediction=["1.0", "2.0"],
        target=[1.0, 2.0],
    ),
    case(
        "text as target",
        errors.DtypeError,
        SparseCategoricalCrossEntropy(),
        "target must be real numbers",
        "of text",
        "encode text as numbers first",
        prediction=shape(2, 4),
        target=["cat", "dog"],
    ),
    case(
        "one word as target",
        errors.DtypeError,
        BinaryCrossEntropy(),
        "target must be real numbers",
        "of text",
        "encode text as numbers first",
        prediction=shape(2),
        target="yes",
    ),
    case(
        "text as weight",
        errors.DtypeError,
        Huber(),
        "weight must be real numbers",
        "of text",
        "encode text as numbers first",
        prediction=shape(2),
        target=shape(2),
        weight=["a", "b"],
    ),
    case(
        "a ragged list as prediction",
        errors.DtypeError,
        Huber(),
        "prediction must be real numbers",
        "a list that makes no array of numbers",
        "rows of a list must have equal lengths",
        prediction=[[1.0, 2.0], [3.0]],
        target=[[1.0, 2.0], [3.0]],
    ),
    case(
        "a ragged list as target",
        errors.DtypeError,
        Huber(),
        "target must be real numbers",
        "a list that makes no array of numbers",
        "rows of a list must have equal lengths",
        prediction=shape(2, 2),
        target=[[1.0, 2.0], [3.0]],
    ),
    case(
        "a list with a gap",
        errors.DtypeError,
        Huber(),
        "target must be real numbers",
        "a list that makes no array of numbers",
        "no entry may be missing",
        prediction=shape(2),
        target=[1.0, None],
    ),
    case(
        "a dictionary",
        errors.DtypeError,
        Huber(),
        "target must be real numbers",
        "a dict that makes no array of numbers",
        "equal lengths",
        prediction=shape(2),
        target={"price": [1.0, 2.0]},
    ),
    case(
        "dates",
        errors.DtypeError,
        Huber(),
        "target must be real numbers",
        "datetime64",
        "convert it to numbers first",
        prediction=shape(1),
        target=[np.datetime64("2026-01-01")],
    ),
    case(
        "a fractional index",
        errors.DtypeError,
        SparseCategoricalCrossEntropy(),
        "target must be integers, the index of the right class",
        "target of dtype float32",
        "soft ones belong to CategoricalCrossEntropy",
        prediction=shape(2, 4),
        target=floats(0.5, 1.0),
    ),
    case(
        "whole numbers as floats",
        errors.DtypeError,
        SparseCategoricalCrossEntropy(),
        "target must be integers, the index of the right class",
        "target of dtype float32",
        "target.astype('int64')",
        prediction=shape(2, 4),
        target=floats(0.0, 1.0),
    ),
    case(
        "integers as mask",
        errors.DtypeError,
        Huber(),
        "where must be boolean",
        "where of dtype int32",
        "where=mask.astype(bool) in NumPy, mask.bool() in PyTorch",
        prediction=shape(3),
        target=shape(3),
        where=np.zeros(3, "int32"),
    ),
    case(
        "floats as mask",
        errors.DtypeError,
        Huber(),
        "where must be boolean",
        "where of dtype float32",
        "numbers belong to weight=",
        prediction=shape(3),
        target=shape(3),
        where=shape(3),
    ),
    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────
    case(
        "labels 0 and 1 for hinge",
        errors.DomainError,
        Hinge(),
        "target must be -1 or 1",
        "0.0 at [0]; 2 of 3 are outside",
        "if the classes are written as 0 and 1, say labels=(0, 1)",
        prediction=shape(3),
        target=floats(0, 1, 0),
    ),
    case(
        "labels -1 and 1 for hinge of 0 and 1",
        errors.DomainError,
        Hinge(labels=(0, 1)),
        "target must be 0 or 1",
        "-1.0 at [1]; 1 of 3 are outside",
        "say labels=(-1, 1)",
        prediction=shape(3),
        target=floats(1, -1, 0),
    ),
    case(
        "label 2",
        errors.DomainError,
        Hinge(),
        "target must be -1 or 1",
        "2.0 at [1]",
        "labels",
        prediction=shape(2),
        target=floats(1, 2),
    ),
    case(
        "labels 0 and 1 for zero-one",
        errors.DomainError,
        ZeroOne(),
        "target must be -1 or 1",
        "0.0 at [1]",
        "say labels=(0, 1)",
        prediction=shape(2),
        target=[1, 0],
    ),
    case(
        "target 2 for binary cross-entropy",
        errors.DomainError,
        BinaryCrossEntropy(),
        "target must be from 0 to 1",
        "2.0 at [2]; 1 of 3 are outside",
        "needs a regression loss",
        prediction=shape(3),
        target=floats(0, 1, 2),
    ),
    case(
        "target -1 for binary cross-entropy",
        errors.DomainError,
        BinaryCrossEntropy(),
        "target must be from 0 to 1",
        "-1.0 at [0]; 1 of 2 are outside",
        "(target + 1) / 2",
        prediction=shape(2),
        target=[-1, 1],
    ),
    case(
        "an infinite target",
        errors.DomainError,
        BinaryCrossEntropy(),
        "target must be from 0 to 1",
        "inf at [1]",
        "needs a regression loss",
        prediction=shape(2),
        target=[0.0, math.inf],
    ),
    case(
        "probability 1.2",
        errors.DomainError,
        BinaryCrossEntropy(from_logits=False),
        "prediction must be from 0 to 1",
        "1.2000000476837158 at [0, 1]; 1 of 2 are outside",
        "logits belong to from_logits=True",
        prediction=floats([0.5, 1.2]),
        target=floats([0, 1]),
    ),
    case(
        "a negative probability",
        errors.DomainError,
        BinaryCrossEntropy(from_logits=False),
        "prediction must be from 0 to 1",
        "-0.5 at [0]",
        "logits belong to from_logits=True",
        prediction=floats(-0.5, 0.5),
        target=floats(0, 1),
    ),
    case(
        "a scalar probability",
        errors.DomainError,
        BinaryCrossEntropy(from_logits=False),
        "prediction must be from 0 to 1",
        "1.5.",
        "logits belong to from_logits=True",
        prediction=np.array(1.5, "float32"),
        target=1,
    ),
    case(
        "rows that do not sum to 1",
        errors.DomainError,
        CategoricalCrossEntropy(from_logits=False),
        "prediction must be rows of probabilities that sum to 1",
        "[0.5, 0.25, 0.25, 0.25] at [1]; 1 of 2 are outside",
        "logits belong to from_logits=True; divide other rows by their sum",
        prediction=floats([0.25] * 4, [0.5, 0.25, 0.25, 0.25]),
        target=UNIFORM,
    ),
    case(
        "logits for probabilities",
        errors.DomainError,
        SparseCategoricalCrossEntropy(from_logits=False),
        "prediction must be rows of probabilities that sum to 1",
        "2 of 2 are outside",
        "logits belong to from_logits=True",
        prediction=floats([3.0, -1.0], [0.5, 2.0]),
        target=[0, 1],
    ),
    case(
        "a negative probability that sums to 1",
        errors.DomainError,
        KLDivergence(from_logits=False),
        "prediction must be rows of probabilities that sum to 1",
        "[1.5, -0.5] at [0]",
        "from_logits=True",
        prediction=floats([1.5, -0.5]),
        target=floats([0.5, 0.5]),
    ),
    case(
        "target rows that do not sum to 1",
        errors.DomainError,
        CategoricalCrossEntropy(),
        "target must be rows of probabilities that sum to 1",
        "[1.0, 1.0] at [0]",
        "divide rows by their sum",
        prediction=shape(1, 2),
        target=floats([1, 1]),
    ),
    case(
        "a target row of 0",
        errors.DomainError,
        CategoricalCrossEntropy(),
        "target must be rows of probabilities that sum to 1",
        "[0.0, 0.0] at [0]",
        "to leave rows out, say where=",
        prediction=shape(1, 2),
        target=[[0, 0]],
    ),
    case(
        "a negative target probability",
        errors.DomainError,
        CategoricalCrossEntropy(),
        "target must be rows of probabilities that sum to 1",
        "[2.0, -1.0] at [0]",
        "divide rows by their sum",
        prediction=shape(1, 2),
        target=[[2, -1]],
    ),
    case(
        "probabilities for log-probabilities",
        errors.DomainError,
        KLDivergence(log_target=True),
        "target must be rows of log-probabilities",
        "[0.5, 0.5] at [0]",
        "log_target=False",
        prediction=shape(1, 2),
        target=floats([0.5, 0.5]),
    ),
    case(
        "log-probabilities for probabilities",
        errors.DomainError,
        KLDivergence(),
        "target must be rows of probabilities that sum to 1",
        "at [0]",
        "divide rows by their sum",
        prediction=shape(1, 2),
        target=np.log(floats([0.5, 0.5])),
    ),
    case(
        "class index K",
        errors.DomainError,
        SparseCategoricalCrossEntropy(),
        "target must be class indices from 0 to K - 1",
        "4 at [1]; 1 of 2 are outside. K is 4",
        "indices that count from 1 need target - 1",
        prediction=shape(2, 4),
        target=np.array([3, 4]),
    ),
    case(
        "class index -1",
        errors.DomainError,
        SparseCategoricalCrossEntropy(from_logits=False),
        "target must be class indices from 0 to K - 1",
        "-1 at [0]; 1 of 2 are outside. K is 4",
        "where=(target != ignored)",
        prediction=UNIFORM,
        target=[-1, 0],
    ),
    case(
        "an ignored index without a mask",
        errors.DomainError,
        SparseCategoricalCrossEntropy(class_weight=(1, 2, 3, 4)),
        "target must be class indices from 0 to K - 1",
        "-100 at [1]",
        "where=(target != ignored)",
        prediction=shape(2, 4),
        target=np.array([0, -100]),
    ),
    case(
        "a negative weight",
        errors.DomainError,
        Huber(),
        "weight must not be negative",
        "-0.5 at [1]; 1 of 3 are outside",
        "0 leaves it out",
        prediction=shape(3),
        target=shape(3),
        weight=floats(1, -0.5, 2),
    ),
    case(
        "a negative weight in a list",
        errors.DomainError,
        SparseCategoricalCrossEntropy(),
        "weight must not be negative",
        "-1.0 at [0]",
        "0 leaves it out",
        prediction=shape(2, 4),
        target=[0, 1],
        weight=[-1, 1],
    ),
    # ── what is missing ──────────────────────────────────────────────────────────────────────────────────────────
    case("no target", errors.UsageError, Huber(), "Huber needs target=", "target=None", None, prediction=shape(3)),
    case(
        "no prediction", errors.UsageError, Huber(), "Huber needs prediction=", "prediction=None", None, target=shape(3)
    ),
]


def message(loss: Any, framework: Any, arrays: dict[str, Any], **more: Any) -> tuple[type[Exception], str]:
    made = {name: framework.array(x) if isinstance(x, np.ndarray) else x for name, x in arrays.items()}
    with pytest.raises(errors.LossaryError) as caught:
        loss(**made, **more)
    return caught.type, str(caught.value)


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: Case, framework: Any) -> None:
    kind, words = message(case.loss, framework, case.arrays)
    assert kind is case.error
    assert issubclass(kind, ValueError | TypeError)
    wanted, _, rest = words.partition("\n  Received: ")
    received, _, hint = rest.partition("\n  Hint: ")
    assert type(case.loss).__name__ in wanted
    assert case.wanted in wanted
    assert case.received in received
    assert (case.hint or "") in hint
    assert bool(case.hint) == bool(hint)
    assert words == message(case.loss, adapter("numpy"), case.arrays)[1]


def test_at_least_60_cases() -> None:
    assert len({x.values[0].id for x in REFUSED}) == len(REFUSED) >= 60


# ── what cannot stand together ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
@pytest.mark.parametrize("other", AUTODIFF)
@pytest.mark.parametrize("argument", ["target", "weight", "where"])
def test_two_frameworks(framework: Any, other: str, argument: str) -> None:
    another = adapter(other)
    arrays = {"prediction": framework.array(shape(3)), "target": shape(3)}
    arrays[argument] = another.array(np.ones(3, "bool") if argument == "where" else np.ones(3, "float32"))
    if another is framework:
        Huber()(**arrays)
        return
    with pytest.raises(errors.FrameworkError) as caught:
        Huber()(**arrays)
    assert str(caught.value) == (
        "Huber: all arrays of a call must come from one framework.\n"
        f"  Received: prediction from {framework.title} and {argument} from {another.title}.\n"
        "  Hint: convert one of them; lists, numbers and NumPy arrays may stand beside any prediction."
    )


@pytest.mark.parametrize("argument", ["target", "weight", "where"])
def test_two_devices_in_torch(argument: str) -> None:
    torch = adapter("torch").torch
    arrays = {"prediction": torch.zeros(3), "target": torch.zeros(3)}
    arrays[argument] = torch.zeros(3, dtype=torch.bool if argument == "where" else None, device="meta")
    with pytest.raises(errors.FrameworkError) as caught:
        Huber()(**arrays)
    assert str(caught.value) == (
        "Huber: all arrays of a call must be on one device.\n"
        f"  Received: prediction on cpu and {argument} on meta.\n"
        f"  Hint: move {argument} to cpu."
    )


TWO_DEVICES = {
    "jax": """
import jax
from lossary import Huber
a, b = (jax.device_put(jax.numpy.zeros(3), device) for device in jax.devices()[:2])
""",
    "tensorflow": """
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from lossary import Huber
with tf.device("CPU:0"): a = tf.zeros(3)
with tf.device("CPU:1"): b = tf.zeros(3)
""",
}


@pytest.mark.parametrize("name", list(TWO_DEVICES))
def test_two_devices(name: str) -> None:
    code = TWO_DEVICES[name] + "print(Huber()(prediction=b, target=[1, 2, 3]))\nHuber()(prediction=a, target=b)\n"
    flags = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2", "TF_CPP_MIN_LOG_LEVEL": "3"}
    ran = subprocess.run([sys.executable, "-c", code], env=flags, capture_output=True, text=True, check=False)
    assert "1.5" in ran.stdout
    assert "FrameworkError: Huber: all arrays of a call must be on one device." in ran.stderr
    assert "Hint: move target to" in ran.stderr


# ── reductions, derivatives ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
@pytest.mark.parametrize("reduction", ["batchmean", "avg", "Mean", "", None, "sum_over_batch_size"])
def test_a_wrong_reduction(framework: Any, reduction: Any) -> None:
    kind, words = message(Huber(), framework, {"prediction": shape(3), "target": shape(3)}, reduction=reduction)
    assert kind is errors.ParameterError
    assert words.startswith(
        f"Huber: reduction must be 'mean', 'sum' or 'none'.\n  Received: reduction={reduction!r}.\n  Hint: "
    )


@cases(of=DEFAULTS, dtypes=("float32",), only=lambda loss: not loss.trainable)
def test_differentiating_what_cannot_be(loss: Any, framework: Any, dtype: str) -> None:
    lead, target = floats(-1.0, 2.0), [1, 1]
    prediction = framework.array(np.stack([-lead, lead], axis=-1) if loss.prediction.rows else lead)
    if framework.differentiates:
        differentiate = functools.partial(framework.pulled, lambda p: loss(prediction=p, target=target), prediction)
    else:
        differentiate = functools.partial(loss.value_and_gradient, prediction=prediction, target=target)
    with pytest.raises(errors.DifferentiationError, match=r"(?s)no useful gradient.*Hint: train with"):
        differentiate()
    assert float(loss(prediction=prediction, target=target)) == 0.5


@pytest.mark.parametrize("framework", AUTODIFF, indirect=True)
def test_differentiating_what_cannot_be_when_compiled(framework: Any) -> None:
    loss, target = ZeroOne(), framework.array(floats(1, 1))
    with pytest.raises(
        Exception, match=r"ZeroOne has no useful gradient|raise DifferentiationError"
    ):  # Dynamo quotes it
        framework.traced(lambda p: loss(prediction=p, target=target), framework.array(floats(-1.0, 2.0)))


# ── hyper-parameters: no framework is asked ──────────────────────────────────────────────────────────────────────────

ASCENDING = "levels must be a tuple of such numbers, each above the one before: a finite number above 0 and below 1"
OUT_OF_BOUNDS = [
    (Huber, {"delta": 0}, "delta must be a finite number above 0"),
    (Huber, {"delta": -1.5}, "delta must be a finite number above 0"),
    (Huber, {"delta": math.nan}, "delta must be a finite number above 0"),
    (Huber, {"delta": math.inf}, "delta must be a finite number above 0"),
    (Huber, {"delta": "1"}, "delta must be a finite number above 0"),
    (Huber, {"delta": None}, "delta must be a finite number above 0"),
    (Huber, {"delta": True}, "delta must be a finite number above 0"),
    (Huber, {"delta": 1 + 0j}, "delta must be a finite number above 0"),
    (Huber, {"delta": (1.0, 2.0)}, "delta must be a finite number above 0"),
    (Huber, {"delta": np.ones(2)}, "delta must be a finite number above 0"),
    (Linex, {"a": 0}, "a must be a finite number other than 0"),
    (Quantile, {"level": 0}, "level must be a finite number above 0 and below 1"),
    (Quantile, {"level": 1}, "level must be a finite number above 0 and below 1"),
    (Quantile, {"level": 90}, "level must be a finite number above 0 and below 1"),
    (Quantile, {"level": math.nan}, "level must be a finite number above 0 and below 1"),
    (MultiQuantile, {"levels": 0.5}, ASCENDING),
    (MultiQuantile, {"levels": ()}, ASCENDING),
    (MultiQuantile, {"levels": (0.9, 0.1)}, ASCENDING),
    (MultiQuantile, {"levels": (0.5, 0.5)}, ASCENDING),
    (MultiQuantile, {"levels": (0.1, 1.0)}, ASCENDING),
    (MultiQuantile, {"levels": (0.1, math.nan)}, ASCENDING),
    (MultiQuantile, {"levels": (0.1, "0.5")}, ASCENDING),
    (MultiQuantile, {"levels": np.full((1, 2), 0.5)}, ASCENDING),
    (BinaryCrossEntropy, {"pos_weight": 0}, "pos_weight must be a finite number above 0"),
    (BinaryCrossEntropy, {"pos_weight": (1.0, -1.0)}, "pos_weight must be a finite number above 0"),
    (BinaryCrossEntropy, {"label_smoothing": 1}, "label_smoothing must be a finite number at least 0 and below 1"),
    (BinaryCrossEntropy, {"label_smoothing": -0.1}, "label_smoothing must be a finite number at least 0 and below 1"),
    (BinaryCrossEntropy, {"from_logits": 1}, "from_logits must be True or False"),
    (BinaryCrossEntropy, {"from_logits": "yes"}, "from_logits must be True or False"),
    (CategoricalCrossEntropy, {"class_weight": (1, -1)}, "class_weight must be a tuple of such numbers"),
    (CategoricalCrossEntropy, {"class_weight": (1, math.nan)}, "class_weight must be a tuple of such numbers"),
    (SparseCategoricalCrossEntropy, {"class_weight": 2.0}, "class_weight must be a tuple of such numbers"),
    (SparseCategoricalCrossEntropy, {"class_weight": "balanced"}, "class_weight must be a tuple of such numbers"),
    (Hinge, {"labels": (1, 2)}, "labels must be one of (-1.0, 1.0), (0.0, 1.0)"),
    (Hinge, {"labels": (1, -1)}, "labels must be one of (-1.0, 1.0), (0.0, 1.0)"),
    (Hinge, {"labels": "01"}, "labels must be one of (-1.0, 1.0), (0.0, 1.0)"),
    (KLDivergence, {"log_target": 0}, "log_target must be True or False"),
    (lossary.L2, {"strength": -1}, "strength must be a finite number at least 0"),
    (lossary.ElasticNet, {"ratio": 1.5}, "ratio must be a finite number at least 0 and at most 1"),
]


@pytest.mark.parametrize(
    ("cls", "settings", "wanted"), [pytest.param(*x, id=f"{x[0].__name__}({x[1]})") for x in OUT_OF_BOUNDS]
)
def test_a_hyper_parameter_out_of_bounds(cls: Any, settings: Any, wanted: str) -> None:
    ((name, value),) = settings.items()
    with pytest.raises(errors.ParameterError) as caught:
        cls(**settings)
    assert str(caught.value).startswith(f"{cls.__name__}: {wanted}")
    assert f"Received: {name}={value!r}." in str(caught.value)


def test_an_unknown_hyper_parameter() -> None:
    with pytest.raises(errors.UsageError, match=r"(?s)Huber has no hyper-parameter 'gamma'.*gamma=2.*Huber has delta"):
        Huber(gamma=2)
    with pytest.raises(errors.UsageError, match=r"(?s)no hyper-parameter 'delta'.*no hyper-parameters"):
        MeanSquaredError(delta=1)
    with pytest.raises(errors.UsageError, match=r"(?s)Quantile has no hyper-parameter 'alpha'.*Quantile\(level=0.9\)"):
        Quantile(alpha=0.9)


@pytest.mark.parametrize("loss", DEFAULTS, ids=repr)
def test_too_many_positional_hyper_parameters(loss: Any) -> None:
    with pytest.raises(errors.UsageError, match=f"{type(loss).__name__} takes (one|no) positional argument"):
        type(loss)(1.0, 2.0, 3.0)


# ── what looks odd and is right ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("framework", FRAMEWORKS, indirect=True)
def test_legitimate_input_works(framework: Any) -> None:
    """What a check could refuse by mistake. Layouts, lists, scalars, kinds of target: test_contract.py."""
    nearly = np.array([[0.3, 0.7], [0.9, 0.1]]) + 4e-4  # within the tolerance of rounding
    assert float(
        CategoricalCrossEntropy(from_logits=False)(prediction=framework.array(nearly, "float32"), target=nearly)
    )
    half = framework.array(np.full((2, 5), 0.2), "float16")  # 0.2 five times is 0.99976
    assert float(SparseCategoricalCrossEntropy(from_logits=False)(prediction=half, target=[0, 4])) > 1.6
    assert float(SparseCategoricalCrossEntropy()(prediction=framework.array(shape(2, 2)), target=[True, False])) > 0.6
    edge = framework.array(floats(0.0, 1.0))
    assert float(BinaryCrossEntropy(from_logits=False)(prediction=edge, target=[0, 1])) == 0.0
    assert float(Huber()(prediction=framework.array(floats(math.inf)), target=[0])) == math.inf
    one_class = framework.array(shape(3, 1))
    assert float(SparseCategoricalCrossEntropy()(prediction=one_class, target=[0, 0, 0])) == 0.0
    deep = framework.array(shape(2, 3, 4, 5))
    assert float(SparseCategoricalCrossEntropy()(prediction=deep, target=np.zeros((2, 3, 4), int))) == pytest.approx(
        math.log(5)
    )
    for sizes, loss in (((0,), Huber()), ((0, 4), CategoricalCrossEntropy()), ((3, 0), Huber())):
        value, gradient = framework.value_and_gradient(
            loss, framework.array(shape(*sizes)), framework.array(shape(*sizes))
        )
        assert (float(value), gradient.shape) == (0.0, sizes)
