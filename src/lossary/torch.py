"""Losses at home in PyTorch: modules called as `criterion(input, target)`.

    criterion = lossary.torch.Huber(delta=1.5)

There is a class for every loss of the catalogue; `loss.torch()` makes the same from an instance.
"""

from __future__ import annotations

import copy
import dataclasses
from types import FunctionType
from typing import TYPE_CHECKING, Any, ClassVar, final

try:
    import torch
    from torch import Tensor, nn
except ModuleNotFoundError as error:
    from lossary.errors import MissingExtraError

    raise MissingExtraError("lossary.torch needs PyTorch.", hint="pip install 'lossary[torch]'.") from error

from lossary import catalogue
from lossary.definition import Definition
from lossary.errors import ShapeError, UsageError
from lossary.host import Classes
from lossary.index import LOSSES
from lossary.loss import Loss, Reduction
from lossary.objective import Objective
from lossary.parameter import parameters_of
from lossary.reduce import Total, check_reduction
from lossary.vocabulary.torch import vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

# What `make index` writes into torch.pyi beside a class for each loss.
STUB = """
from typing import Any, Literal

from torch import Tensor, nn

from lossary.loss import Loss, Reduction
from lossary.objective import Objective
from lossary.reduce import Total

class LossModule(nn.Module):
    reduction: Reduction
    def forward(
        self, input: Tensor, target: Any, weight: Any | None = None, where: Any | None = None
    ) -> Tensor: ...
    def __call__(
        self, input: Tensor, target: Any, weight: Any | None = None, where: Any | None = None
    ) -> Tensor: ...
    def total(self, input: Tensor, target: Any, weight: Any | None = None, where: Any | None = None) -> Total: ...

class ObjectiveModule(LossModule):
    def terms(
        self, input: Tensor, target: Any, weight: Any | None = None, where: Any | None = None
    ) -> dict[str, Tensor]: ...

def host(
    loss: Loss | Objective,
    *,
    reduction: Reduction = ...,
    class_axis: int | None = ...,
    ignore_index: int = ...,
    validate: bool = ...,
    model: nn.Module | None = ...,
) -> LossModule: ...
def get(name: str, **settings: Any) -> LossModule: ...
def refuse_activated(loss: Any, input: Tensor) -> None: ...
"""
STUB_BASE = "LossModule"
STUB_OPTIONS = "reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int = ..., validate: bool = ..."

__all__ = ["LossModule", "ObjectiveModule", "get", "host", *LOSSES]  # noqa: PLE0604  # from the index

# Operations that only rearrange entries: what came before them is still what it was.
_REARRANGEMENTS = {
    "AliasBackward",
    "CloneBackward",
    "ExpandBackward",
    "PermuteBackward",
    "SelectBackward",
    "SliceBackward",
    "SqueezeBackward",
    "ToCopyBackward",
    "TransposeBackward",
    "UnsafeViewBackward",
    "UnsqueezeBackward",
    "ViewBackward",
}


class LossModule(nn.Module):
    """A loss as a module: `criterion(input, target)`, the prediction first.

    Args:
        reduction: "mean" (Σwℓ / Σw), "sum" or "none"; may be set later.
        class_axis: where rowwise losses find their classes: axis 1 by default for the cross-entropies, as PyTorch has
            it; -1 for predictions of shape (batch, time, classes).
        ignore_index: targets of class indices that are equal to this are left out.
        validate: False switches the checks of values off.
    """

    definition: ClassVar[Any] = Definition

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "forward" not in vars(cls):
            # torch.compile gives up on a code object after eight recompilations: each class has one of its own.
            shared = LossModule.forward
            cls.forward = FunctionType(  # type: ignore[method-assign]  # the same function
                shared.__code__.replace(), shared.__globals__, shared.__name__, shared.__defaults__, shared.__closure__
            )
            cls.forward.__kwdefaults__ = shared.__kwdefaults__

    def __init__(
        self,
        *positional: Any,
        reduction: Reduction = "mean",
        class_axis: int | None = None,
        ignore_index: int = -100,
        validate: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__()
        self._settle(self.definition(*positional, **settings), reduction, class_axis, ignore_index, validate)

    @final
    def _settle(
        self, loss: Any, reduction: Reduction, class_axis: int | None, ignore_index: int, validate: bool
    ) -> None:
        self.loss = loss
        check_reduction(f"lossary.torch.{type(loss).__name__}", reduction)
        self.reduction: Reduction = reduction
        if class_axis is None:
            class_axis = 1 if loss.task == "multiclass" else -1
        self.class_axis = class_axis
        self.ignore_index = ignore_index
        self.validate = validate
        self._seen: list[bytes] = []  # what was in the buffers
        self._constant = loss
        for name, setting in loss.settings.items() if isinstance(loss, Loss) else ():
            if isinstance(setting, tuple) and setting and parameters_of(loss)[name].table:
                # In float64, for float64 predictions; it is rounded to the prediction's dtype where it is used.
                self.register_buffer(name, torch.tensor(setting, dtype=torch.float64))

    @property
    def _bound(self) -> Any:
        """The loss whose tables are this module's buffers, so that they move and load with it."""
        if not self._buffers:
            return self.loss
        # Within a transform of torch.func even a plain buffer cannot be read.
        transformed = torch._C._functorch.peek_interpreter_stack() is not None
        if not (torch.compiler.is_compiling() or transformed) and all(map(_is_readable, self._buffers.values())):
            return self._as_constants()
        bound = object.__new__(type(self.loss))
        for name, setting in self.loss.settings.items():
            object.__setattr__(bound, name, self._buffers.get(name, setting))
        return bound

    def _as_constants(self) -> Loss:
        """The loss with what is in the buffers now, which kernels can take for constants."""
        seen = [buffer.numpy().tobytes() for buffer in self._buffers.values() if buffer is not None]
        if self._seen != seen:
            tables = {name: tuple(buffer.tolist()) for name, buffer in self._buffers.items() if buffer is not None}
            self._seen, self._constant = seen, dataclasses.replace(self.loss, **tables)
        constant: Loss = self._constant
        return constant

    def _apply(self, *positional: Any, **named: Any) -> Any:
        try:
            return super()._apply(*positional, **named)  # type: ignore[no-untyped-call]  # torch has no types for it
        except TypeError:  # a device without float64 (MPS)
            for name, buffer in self._buffers.items():
                self._buffers[name] = None if buffer is None else buffer.float()
            return super()._apply(*positional, **named)  # type: ignore[no-untyped-call]  # as above

    def forward(
        self,
        input: Tensor | dict[str, Any],
        target: Any,
        weight: Any | None = None,
        where: Any | None = None,
        *,
        num_items_in_batch: Any | None = None,
    ) -> Tensor:
        """The loss of a batch.

        Args:
            input: the prediction, floating point.
            target: what the loss takes: the same shape, or class indices without the class axis.
            weight: how often each entry counts: the losses' shape or a leading part of it.
            where: boolean, False leaves an entry out.
            num_items_in_batch: what Hugging Face's Trainer divides by; it calls with a model's outputs and labels, as
                `lossary.trainers.hugging_face` says.
        """
        if num_items_in_batch is not None or isinstance(input, dict):
            return self._of_outputs(input, target, num_items_in_batch)
        arranged, options = self._arranged(input, target, weight, where), self._options(input)
        result: Tensor | None = vocabulary.fused(self._bound, *arranged, reduction=self.reduction, **options)
        if result is None:
            result = self._bound.compute(*arranged, reduction=self.reduction, fused=False, **options)
        return result

    @final
    def total(self, input: Tensor, target: Any, weight: Any | None = None, where: Any | None = None) -> Total:
        """The sum of the losses and the weight it stands for: exact under micro-batches and ranks."""
        total: Total = self._bound.compute_total(*self._arranged(input, target, weight, where), **self._options(input))
        return total

    @final
    def _of_outputs(self, outputs: Any, labels: Any, num_items_in_batch: Any) -> Tensor:
        """The loss as Hugging Face's Trainer calls it."""
        from lossary.trainers.hugging_face import compute_loss_func

        return compute_loss_func(self)(outputs, labels, num_items_in_batch)

    @final
    def _options(self, input: Tensor) -> dict[str, Any]:
        """What a computation is told beside its arrays."""
        ignored = self.ignore_index if self.loss.target.indices else None
        came_in = _dtype_of(input) if _under_autocast(input) else None
        return {"validate": self.validate, "came_in": came_in, "ignored": ignored}

    @final
    def _arranged(self, input: Tensor, target: Any, weight: Any, where: Any) -> tuple[Any, Any, Any, Any]:
        """The arguments as the framework-free call takes them: classes last."""
        loss = self.loss
        if not isinstance(input, Tensor):
            raise UsageError(
                f"lossary.torch.{type(loss).__name__} takes tensors, as criterion(input, target).",
                received=f"input of type {type(input).__name__}.",
                hint="the framework-free call takes any framework's arrays: loss(prediction=..., target=...).",
            )
        if input.grad_fn is not None:
            refuse_activated(loss, input)
        if _under_autocast(input) and input.is_floating_point():
            input = input.to(torch.promote_types(input.dtype, torch.float32))
        if loss.target.indices:
            target = torch.as_tensor(target, device=input.device) if not isinstance(target, Tensor) else target
        if loss.prediction.rows and input.dim() > 1:
            self._check_class_axis(input, target)
            input = input.movedim(self.class_axis, -1)
            if loss.target.rows and isinstance(target, Tensor) and target.dim() == input.dim():
                target = target.movedim(self.class_axis, -1)
        return input, target, weight, where

    @final
    def _check_class_axis(self, input: Tensor, target: Any) -> None:
        """Where the shapes only fit with the classes elsewhere, the error says so."""
        shape, axis = tuple(input.shape), self.class_axis
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"{type(self.loss).__name__}: class_axis={axis} is no axis of the input.",
                received=f"input {shape}.",
                hint="class_axis=-1 where the classes stand last.",
            )
        if not self.loss.target.indices:
            return
        came = tuple(target.shape)
        without = shape[:axis] + shape[axis:][1:] if axis != -1 else shape[:-1]
        other = -1 if axis != -1 else 1
        elsewhere = shape[:-1] if other == -1 else shape[:1] + shape[2:]
        if came not in (without, shape) and came == elsewhere:
            raise ShapeError(
                f"{type(self.loss).__name__}: target must have the input's shape without its axis {axis}, the classes.",
                received=f"input {shape} and target {came}.",
                hint=f"the shapes fit with the classes on axis {other}: class_axis={other}.",
            )

    def extra_repr(self) -> str:
        inside = repr(self.loss).removeprefix(type(self.loss).__name__)[1:-1] if isinstance(self.loss, Loss) else ""
        options = [inside] if inside else []
        if self.reduction != "mean":
            options.append(f"reduction={self.reduction!r}")
        return ", ".join(options)

    def __reduce__(self) -> Any:
        """Through the loss, so that classes for users' losses are found again too."""
        return _unpickled, (self.definition,), self.__dict__


@final
class ObjectiveModule(LossModule):
    """An objective as a module; penalties count over the parameters of `model`, which is not made a submodule."""

    definition: ClassVar[Any] = Objective

    def __init__(
        self,
        objective: Objective,
        *,
        model: nn.Module | None = None,
        reduction: Reduction = "mean",
        class_axis: int | None = None,
        ignore_index: int = -100,
        validate: bool = True,
    ) -> None:
        nn.Module.__init__(self)
        if objective.penalties and model is None:
            raise UsageError(
                "an objective with penalties needs the model whose parameters they are about.",
                received=f"{objective!r} and model=None.",
                hint="objective.torch(model=net).",
            )
        # In a tuple, which nn.Module does not look into: the parameters stay the model's alone.
        self.counted: tuple[nn.Parameter, ...] = tuple(_trainable(model)) if model is not None else ()
        self._settle(objective, reduction, class_axis, ignore_index, validate)

    def forward(
        self,
        input: Tensor | dict[str, Any],
        target: Any,
        weight: Any | None = None,
        where: Any | None = None,
        *,
        num_items_in_batch: Any | None = None,
    ) -> Tensor:
        if num_items_in_batch is not None or isinstance(input, dict):
            return self._of_outputs(input, target, num_items_in_batch)
        result: Tensor = self.loss.compute(
            *self._arranged(input, target, weight, where),
            reduction=self.reduction,
            parameters=self.counted or None,
            **self._options(input),
        )
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> ObjectiveModule:
        """A copy that is about the same parameters; about the copied ones where it is copied with their model."""
        for parameter in self.counted:
            memo.setdefault(id(parameter), parameter)
        copied: ObjectiveModule = ObjectiveModule.__new__(ObjectiveModule)
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    def terms(
        self, input: Tensor, target: Any, weight: Any | None = None, where: Any | None = None
    ) -> dict[str, Tensor]:
        """Each term's share of the objective, by name."""
        shares: dict[str, Tensor] = self.loss.compute_terms(
            *self._arranged(input, target, weight, where),
            reduction=self.reduction,
            parameters=self.counted or None,
            **self._options(input),
        )
        return shares

    def extra_repr(self) -> str:
        return repr(self.loss)


def host(loss: Loss | Objective, *, model: nn.Module | None = None, **options: Any) -> LossModule:
    """The module of a loss or objective; `model` is for an objective with penalties, other options as LossModule has.

    Raises:
        UsageError: an objective with penalties and no model, or a model and no penalties to count over it.
    """
    if isinstance(loss, Objective):
        return ObjectiveModule(loss, model=model, **options)
    if model is not None:
        raise UsageError(f"{loss!r} has no penalties, so that model= has nothing to do.", received="model=...")
    module: LossModule = _classes.of(type(loss))(**loss.settings, **options)
    return module


def get(name: str, **settings: Any) -> LossModule:
    """The module of a loss by name or alias: `get("bce", pos_weight=3)`."""
    return host(catalogue.get(name, **settings))


def refuse_activated(loss: Any, input: Tensor) -> None:
    """Raises UsageError where the graph shows that `input` came out of a sigmoid or softmax and logits were promised.

    The graph is looked at, never the values: numbers between 0 and 1 are legitimate logits.
    """
    if torch.compiler.is_compiling() or loss.prediction.symbol != "z":
        return
    node = input.grad_fn
    while node is not None and _operation(node) in _REARRANGEMENTS:
        node = node.next_functions[0][0]
    name = _operation(node) if node is not None else ""
    if name in {"SigmoidBackward", "SoftmaxBackward"}:
        activation = name.removesuffix("Backward").lower()
        raise UsageError(
            f"{type(loss).__name__}(from_logits=True) takes logits.",
            received=f"the output of a {activation}, which would be applied twice.",
            hint=f"drop the {activation} from the model (better: no digits are lost), or say from_logits=False.",
        )


def _is_readable(buffer: Tensor | None) -> bool:
    """Whether its numbers are at hand."""
    return buffer is not None and vocabulary.readable(buffer) and buffer.dtype != torch.bfloat16


def _dtype_of(input: Tensor) -> str | None:
    """The dtype that predictions came in, before autocast; None for what is refused later."""
    return vocabulary.dtype(input) if input.is_floating_point() else None


def _operation(node: Any) -> str:
    """The name of a node of the graph, without the number of its overload: "SqueezeBackward"."""
    return str(node.name()).rstrip("0123456789")


def _under_autocast(input: Tensor) -> bool:
    if input.is_cpu:
        return torch.is_autocast_enabled("cpu")
    device = input.device.type
    return torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)


def _trainable(model: nn.Module) -> Iterator[nn.Parameter]:
    return (parameter for parameter in model.parameters() if parameter.requires_grad)


def _unpickled(definition: Any) -> LossModule:
    """An empty module of the right class; its state follows."""
    kind = ObjectiveModule if definition is Objective else _classes.of(definition)
    module: LossModule = kind.__new__(kind)
    return module


_classes = Classes(__name__, LossModule)
__getattr__, __dir__ = _classes.attribute, _classes.names
