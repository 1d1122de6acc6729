"""The loss under check: what is known of it, and one way to call it whatever it is.

Rules talk to a `Subject` in NumPy arrays and by role: prediction, target, weight, mask. It knows the loss's own order,
names, framework and reduction.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, final

import ml_dtypes
import numpy as np

from lossary.check.subject import samples
from lossary.define.claims.claim import Claim, closure

if TYPE_CHECKING:
    from lossary.check.backends.backend import Backend
    from lossary.check.inference.formula import Formula
    from lossary.define.domains.domain import Domain
    from lossary.define.loss import Loss

Reduction = Literal["mean", "sum", "none"]


class LossRaised(Exception):  # noqa: N818  # it says what happened
    """The loss raised where a rule did not expect it to; `original` is what, and `code` makes what shows it."""

    def __init__(self, original: BaseException, call: str, code: Callable[[], str] | None = None) -> None:
        first = next(iter(str(original).strip().splitlines()), "")
        super().__init__(f"raised {type(original).__name__}{': ' if first else ''}{first[:120]} on {call}")
        self.original, self.code = original, code


@final
@dataclasses.dataclass(frozen=True)
class Convention:
    """How a loss is called.

    Args:
        prediction, target: the names of the two arguments, in the loss's own order if `target_first`.
        keywords: whether the two go by name; else they go by position.
        weight, mask: the argument for one weight, or one boolean, for each row (or entry); None where there is none.
        reduction: the argument of the call that says how to reduce, and its words for ours.
        part: what follows the call where it returns more than the loss: "[0]".
    """

    prediction: str = "prediction"
    target: str = "target"
    target_first: bool = False
    keywords: bool = False
    weight: str | None = None
    mask: str | None = None
    reduction: str | None = None
    reductions: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    part: str = ""


@final
@dataclasses.dataclass(frozen=True)
class Constructor:
    """How the loss was made, where it was made by a class: what makes another one with other settings.

    Args:
        make: takes keyword arguments, those of `settings` and `reduction` among them.
        settings: the arguments it was made with, defaults included: name → value.
        reduction: the argument that says how to reduce; None where it has none.
        reductions: its words for ours.
        source: the class as reproducers write it: "torch.nn.HuberLoss".
    """

    make: Callable[..., Any]
    settings: Mapping[str, Any]
    source: str
    reduction: str | None = None
    reductions: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def written(self, **changed: Any) -> str:
        """The expression that makes the loss, with these settings changed; "" where one of them cannot be written."""
        try:
            defaults = {name: each.default for name, each in inspect.signature(self.make).parameters.items()}
        except (ValueError, TypeError):
            defaults = {}
        arguments = []
        for name, value in {**self.settings, **changed}.items():
            if not isinstance(value, int | float | str | tuple | list | None):
                return ""
            default = defaults.get(name, inspect.Parameter.empty)
            if type(default) is not type(value) or default != value:
                arguments.append(_argument(name, value))
        return f"{self.source}({', '.join(arguments)})"


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """A loss, ready to be checked; `infer.subject` makes one of anything.

    Args:
        name: as people write it: "focal_loss", "HuberLoss(delta=0.5)".
        loss: what is called.
        backend: whose arrays it takes.
        host: "numpy", "torch", "keras", "jax" or "lossary": whose habits it has; "boosting" for an objective that
            returns gradient and curvature, which stand in the places of the loss and its gradient.
        convention: how it is called.
        prediction, target: what its arguments may be.
        reduction: what a plain call does: "mean", "sum" or "none".
        entry: the shape of one row of the prediction: () for (N,), (1,) for (N, 1) where the loss averages the last
            axis by itself, as Keras' do, (K,) for rows of K classes.
        class_axis: where the classes of a prediction of more than two axes are.
        source: an expression that is the loss in reproducers: "focal_loss", "torch.nn.HuberLoss(delta=0.5)".
        imports: the statement that makes `source` known: "from losses import focal_loss".
        gradient_source: how a loss that brings its own gradient (NumPy's) says it.
        own_gradient: (prediction, target) → the gradient of the plain call, for NumPy losses that bring one.
        settings: hyper-parameters of numbers, by name, with their present values.
        constructor: how it was made, where it was made by a class.
        ignored: the class index that leaves a row out.
        definition: the catalogue's loss that it is (times `factor`), or the formula that it is told to have.
        claimed_properties: what it is held to be.
        path, line: where it is written.
        inferred: what was found out by looking, said aloud.
    """

    name: str
    loss: Any
    backend: Backend
    host: str
    convention: Convention
    prediction: Domain
    target: Domain
    reduction: Reduction
    source: str
    imports: str = ""
    entry: tuple[int, ...] = ()
    class_axis: int = -1
    own_gradient: Callable[[Any, Any], Any] | None = None
    gradient_source: str = ""
    settings: Mapping[str, float] = dataclasses.field(default_factory=dict)
    constructor: Constructor | None = None
    ignored: int | None = None
    definition: Loss | Formula | None = None
    factor: float = 1.0
    claimed_properties: tuple[Claim, ...] = ()
    path: str = ""
    line: int = 0
    inferred: tuple[str, ...] = ()
    seed: int = 0

    # ── what it can do ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def differentiates(self) -> bool:
        """Whether a gradient can be had."""
        return self.own_gradient is not None or (self.backend.differentiates and self.trainable)

    @property
    def trainable(self) -> bool:
        return self.definition is None or self.definition.trainable

    @property
    def takes_weight(self) -> bool:
        return self.convention.weight is not None

    @property
    def takes_mask(self) -> bool:
        return self.convention.mask is not None

    @functools.cached_property
    def separates(self) -> bool:
        """Whether it gives one loss for each row or entry, by itself or when asked to."""
        return self.reduction == "none" or self.reduces("none")

    def reduces(self, reduction: Reduction) -> bool:
        """Whether it can be asked for that reduction (what it does anyhow counts)."""
        reductions = self.constructor.reductions if self.constructor is not None else {}
        return reduction in (self.reduction, *self.convention.reductions, *reductions)

    def claimed(self, kind: type[Claim]) -> Claim | None:
        """The claim of that kind, also one that follows from others; None where nobody makes it."""
        return next((each for each in closure(self.claimed_properties) if isinstance(each, kind)), None)

    @property
    def namespace(self) -> dict[str, Any]:
        """What the names in `source` are, for reproducers that have no import: functions of a session."""
        if self.constructor is not None and self.source == self.constructor.written():
            return {self.constructor.source: self.constructor.make}
        return {self.source: self.loss.function if self.convention.part else self.loss}

    # ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────

    def generator(self, salt: int = 0) -> Any:
        """Random numbers, the same for the same seed."""
        return np.random.default_rng((self.seed, salt))

    def batch(self, rows: int = 4, *, salt: int = 0, dtype: str = "float32") -> tuple[Any, Any]:
        """Ordinary legal inputs, (prediction, target): numbers of everyday size, nothing at an edge.

        Frameworks that compile for each shape are slow with many of them: keep to 4 rows where there is a choice.
        """
        return samples.batch(self, rows, self.generator(salt), dtype)

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def with_settings(self, **settings: Any) -> Any:
        """The loss (as it is called) with other hyper-parameters.

        Raises:
            TypeError: it has none.
            Exception: whatever the constructor raises, as it is.
        """
        if self.constructor is not None:
            return self.constructor.make(**{**self.constructor.settings, **settings})
        if not self.settings:
            raise TypeError(f"{self.name} has no hyper-parameters")
        return functools.partial(self.loss, **settings)

    def raw(
        self,
        prediction: Any,
        target: Any,
        *,
        weight: Any = None,
        mask: Any = None,
        reduction: Reduction | None = None,
        loss: Any = None,
    ) -> Any:
        """What the loss itself returns, for arrays of its own framework; its exceptions come through as they are.

        Args:
            loss: another one to call the same way: what `with_settings`, a compiler or pickle made.
        """
        loss = self.backend.fitted(self._reducing(reduction, loss), prediction)
        named = {self.convention.weight: weight, self.convention.mask: mask}
        extra = {name: value for name, value in named.items() if name is not None and value is not None}
        if reduction is not None and self.convention.reduction is not None and reduction != self.reduction:
            extra[self.convention.reduction] = self.convention.reductions[reduction]
        if self.convention.keywords:
            return loss(**{self.convention.prediction: prediction, self.convention.target: target}, **extra)
        both = (target, prediction) if self.convention.target_first else (prediction, target)
        return loss(*both, **extra)

    def function(self, loss: Any = None) -> Callable[[Any, Any], Any]:
        """The plain call as a function of (prediction, target), arrays of its framework: what compilers are given.

        Args:
            loss: another one to call the same way.
        """
        loss = self.loss if loss is None else loss
        convention = self.convention

        def named(p: Any, y: Any) -> Any:
            return loss(**{convention.prediction: p, convention.target: y})

        def swapped(p: Any, y: Any) -> Any:
            return loss(y, p)

        def plain(p: Any, y: Any) -> Any:
            return loss(p, y)

        return named if convention.keywords else swapped if convention.target_first else plain

    def _reducing(self, reduction: Reduction | None, loss: Any) -> Any:
        loss = self.loss if loss is None else loss
        reductions = self.constructor.reductions if self.constructor is not None else {}
        if reduction in (None, self.reduction) or self.convention.reduction is not None or reduction not in reductions:
            return loss
        constructor = self.constructor
        assert constructor is not None
        return constructor.make(**{**constructor.settings, str(constructor.reduction): reductions[reduction]})

    def call(self, prediction: Any, target: Any, **more: Any) -> Any:
        """`raw` for NumPy arrays, in the precision they come in; an array of the framework.

        Raises:
            LossRaised: the loss raised.
        """
        with self.backend.precision(_precision(prediction)):
            arrays = {name: self._array(x) if name in ("weight", "mask") else x for name, x in more.items()}
            try:
                return self.raw(self._array(prediction), self._array(target), **arrays)
            except Exception as error:
                code = functools.partial(self.code, prediction, target, **more)
                raise LossRaised(error, described(prediction, target), code) from error

    def values(self, prediction: Any, target: Any, **more: Any) -> Any:
        """What the loss returns as a NumPy array of float64; unreduced where it can be, unless `reduction` is said.

        Raises:
            LossRaised: the loss raised.
        """
        if "reduction" not in more and self.separates:
            more["reduction"] = "none"
        with self.backend.precision(_precision(prediction)):
            result = self.call(prediction, target, **more)
            try:
                return np.asarray(self.backend.numpy(self._array(result)))
            except Exception:  # text, nothing, a pair: whatever people return
                kind = type(result).__name__
                wrong = TypeError(f"it must return an array of numbers, and returned a {kind}")
                raise LossRaised(wrong, described(prediction, target)) from None

    def attempt(self, prediction: Any, target: Any, **more: Any) -> Any:
        """`values`, or None where the loss refuses the input: for input that is not legal."""
        try:
            return self.values(prediction, target, **more)
        except LossRaised:
            return None

    def rows(self, prediction: Any, target: Any) -> Any:
        """One loss for each row, (N,): asked for row by row where the loss only reduces."""
        if self.separates:
            values = self.values(prediction, target)
            if values.ndim and len(values) == len(prediction):
                return values.reshape(len(prediction), -1).mean(axis=1)
        both = zip(prediction, target, strict=True)
        return np.array([float(np.mean(self.values(p[None], t[None]))) for p, t in both])

    def attempt_rows(self, prediction: Any, target: Any) -> Any:
        """`rows`, or None where the loss refuses the input: for losses that may not take a single row, or class."""
        try:
            return self.rows(prediction, target)
        except LossRaised:
            return None

    def gradient(self, prediction: Any, target: Any, **more: Any) -> Any:
        """The derivative of the sum of `values` in the prediction's shape, float64: of the unreduced losses' sum where
        they can be had, else of the plain call.

        Raises:
            LossRaised: the loss, or its derivative, raised.
        """
        return self.value_and_gradient(prediction, target, **more)[1]

    @functools.cached_property
    def takes_one_row(self) -> bool:
        """Whether each row's loss can be had, if need be by a batch of that row."""
        try:
            self.rows(*self.batch(4))
        except LossRaised:
            return False
        return True

    @functools.cached_property
    def adds_up(self) -> bool:
        """Whether a batch's loss is the mean, or the sum, of its rows': no row is compared with another."""
        p, y = self.batch(4)
        if not self.takes_one_row:
            return False
        rows, whole = self.rows(p, y), self.values(p, y)
        expected = rows.sum() if self.reduction == "sum" and not self.separates else rows.mean()
        return bool(np.isclose(whole.mean(), expected, rtol=1e-4))

    def row_gradients(self, prediction: Any, target: Any) -> Any:
        """The derivative of each row's own loss, as `rows` has it, in the prediction's shape."""
        separate = self.separates and (self.own_gradient is None or self.host == "lossary")
        more = {"reduction": "none"} if separate else {}
        value, slope = self.value_and_gradient(prediction, target, **more)
        if separate:
            return slope * (len(prediction) / max(value.size, 1))  # `rows` takes the mean of a row's entries
        return slope * len(prediction) if self.reduction == "mean" else slope

    def loses_gradient(self, prediction: Any, target: Any) -> Any:
        """Which rows have a loss but no gradient: the one is finite, the other is not."""
        slope = self.row_gradients(prediction, target).reshape(len(prediction), -1)
        lost = ~np.isfinite(slope).all(axis=1)
        return lost & np.isfinite(self.rows(prediction, target)) if lost.any() else lost

    def value_and_gradient(self, prediction: Any, target: Any, **more: Any) -> tuple[Any, Any]:
        """`values` and `gradient` together."""
        if "reduction" not in more and self.separates and self.own_gradient is None:
            more["reduction"] = "none"
        try:
            if self.own_gradient is not None:
                slope = np.asarray(self.own_gradient(prediction, target, **more), np.float64)
                return self.values(prediction, target, **more), slope
            with self.backend.precision(_precision(prediction)):
                t = self._array(target)
                arrays = {name: self._array(x) if name in ("weight", "mask") else x for name, x in more.items()}
                pair = self.backend.pulled(lambda p: self._array(self.raw(p, t, **arrays)), self._array(prediction))
                value, slope = pair
                return np.asarray(self.backend.numpy(value)), np.asarray(self.backend.numpy(slope))
        except LossRaised:
            raise
        except Exception as error:
            code = functools.partial(self.code, prediction, target, gradient=True, **more)
            raise LossRaised(error, described(prediction, target), code) from error

    def _array(self, x: Any) -> Any:
        """NumPy's arrays as the framework's; what is no NumPy array (or number) stays as it is."""
        return self.backend.array(x) if isinstance(x, np.ndarray | np.generic | int | float) else x

    # ── code ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def expression(self, prediction: str, target: str, *, changed: Mapping[str, Any] | None = None, **more: str) -> str:
        """The call as code; `more` are weight, mask and reduction as expressions (reduction: our word), `changed` are
        hyper-parameters that are not as the loss has them."""
        source, extra = self.source, {}
        if changed and self.constructor is not None:
            source = self.constructor.written(**changed) or source
        reduction = more.pop("reduction", None)
        if reduction is not None and reduction != self.reduction:
            if self.convention.reduction is not None:
                extra[self.convention.reduction] = repr(self.convention.reductions[reduction])
            elif self.constructor is not None and self.constructor.reduction is not None:
                constructor = self.constructor
                source = (
                    constructor.written(**{str(constructor.reduction): constructor.reductions[reduction]}) or source
                )
        named = {"weight": self.convention.weight, "mask": self.convention.mask}
        extra |= {str(named[role]): written for role, written in more.items() if named.get(role) is not None}
        if self.convention.keywords:
            arguments = [f"{self.convention.prediction}={prediction}", f"{self.convention.target}={target}"]
        else:
            arguments = [target, prediction] if self.convention.target_first else [prediction, target]
        arguments += [f"{name}={value}" for name, value in extra.items()]
        if changed and self.constructor is None:
            arguments += [_argument(name, value) for name, value in changed.items()]
        text = ", ".join(arguments)
        return f"{source}({text}){self.convention.part}"

    def code(
        self,
        prediction: Any,
        target: Any,
        show: str = "{loss}",
        *,
        gradient: bool = False,
        changed: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Statements that print what went wrong, for `Failure.code`.

        Args:
            prediction, target: NumPy arrays.
            show: what to print, an expression in which "{loss}" is the call, or "{gradient}" the gradient in the
                prediction: "{loss}.shape".
            gradient: print the gradient; short for show="{gradient}".
            changed: hyper-parameters that are not as the loss has them.
            more: weight, mask (NumPy arrays) and reduction (our word) of the call.
        """
        show = "{gradient}" if gradient else show
        x, y = self.backend.literal(prediction), self.backend.literal(target)
        extra = {name: value if name == "reduction" else self.backend.literal(value) for name, value in more.items()}
        setup = self.backend.setup_code(_precision(prediction))
        lines = [setup] if setup else []
        if "{gradient}" in show:
            if self.own_gradient is not None:
                first, slope = "", self.gradient_source.format(prediction=x, target=y)
            else:
                first, slope = self.backend.gradient_code(
                    x, lambda name: self.expression(name, y, changed=changed, **extra)
                )
            lines += [first] if first else []
            return "\n".join([*lines, f"print({show.replace('{gradient}', slope)})"])
        called = self.expression(x, y, changed=changed, **extra)
        return "\n".join([*lines, f"print({show.replace('{loss}', called)})"])


def described(prediction: Any, target: Any) -> str:
    """A call's inputs, for messages: the numbers where they are few, the shapes where they are many."""
    if math.prod(np.shape(prediction)) <= 4 and math.prod(np.shape(target)) <= 4:
        return f"prediction = {shown(prediction)}, target = {shown(target)}"
    return f"prediction {tuple(np.shape(prediction))}, target {tuple(np.shape(target))}"


def shown(x: Any) -> str:
    """A NumPy array's numbers, as people write them: one without brackets, several in them."""
    x = np.asarray(x)
    if x.size == 1:
        value = x.reshape(-1)[0]
        return str(value) if x.dtype.kind in "iub" else f"{float(value):.9g}"
    if x.ndim > 1 and len(x) == 1:
        return shown(x[0])
    return "[" + ", ".join(shown(each) for each in x) + "]"


def _argument(name: str, value: Any) -> str:
    """A keyword argument as code: NaN has no literal of its own."""
    return f'{name}=float("nan")' if value != value else f"{name}={value!r}"  # noqa: PLR0124  # NaN alone is not itself


def _precision(x: Any) -> str:
    return "float64" if getattr(x, "dtype", None) in (np.float64, np.complex128) else "float32"


def cast(x: Any, dtype: str) -> Any:
    """A NumPy array in another floating dtype, "bfloat16" included; integers and booleans stay."""
    x = np.asarray(x)
    if x.dtype.kind not in "f" and x.dtype.name != "bfloat16":
        return x
    with np.errstate(over="ignore"):
        return x.astype(getattr(ml_dtypes, dtype, dtype))


def widened(prediction: Any, target: Any) -> tuple[Any, Any]:
    """The same numbers in float64."""
    return cast(prediction, "float64"), cast(target, "float64")
