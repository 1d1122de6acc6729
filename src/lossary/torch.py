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
from lossary.define import registry
from lossary.define.definition import Definition
from lossary.define.loss import Loss, Reduction
from lossary.define.objective import Objective
from lossary.define.parameters import parameters_of
from lossary.engine.evaluate import check_reduction
from lossary.errors import ShapeError, UsageError
from lossary.host import Classes
from lossary.index import LOSSES
from lossary.ops.call import Call
from lossary.ops.missing import Missing, accepted
from lossary.ops.reduce import Total
from lossary.ops.torch import ops

if TYPE_CHECKING:
    from collections.abc import Iterator

# What `make index` writes into torch.pyi beside a class for each loss.
STUB = """
from typing import Any, Literal

from torch import Tensor, nn

from lossary.define.loss import Loss, Reduction
from lossary.ops.missing import Missing
from lossary.define.objective import Objective
from lossary.ops.reduce import Total

class LossModule(nn.Module):
    reduction: Reduction
    missing: Missing | None
    @property
    def loss(self) -> Loss | Objective: ...
    def forward(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> Tensor: ...
    def __call__(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> Tensor: ...
    def total(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> Total: ...

class ObjectiveModule(LossModule):
    def terms(
        self, input: Tensor, target: Any = ..., *others: Any, weight: Any = ..., where: Any = ..., **named: Any
    ) -> dict[str, Tensor]: ...

def host(
    loss: Loss | Objective,
    *,
    reduction: Reduction = ...,
    class_axis: int | None = ...,
    ignore_index: int | None = ...,
    missing: Missing | None = ...,
    validate: bool = ...,
    model: nn.Module | None = ...,
) -> LossModule: ...
def get(name: str, **settings: Any) -> LossModule: ...
def refuse_activated(loss: Any, input: Tensor) -> None: ...
"""
STUB_BASE = "LossModule"
STUB_OPTIONS = (
    "reduction: Reduction = ..., class_axis: int | None = ..., ignore_index: int | None = ..., "
    "missing: Missing | None = ..., validate: bool = ..."
)

# The class index that PyTorch's own cross-entropy leaves out.
IGNORED = -100

_OPTIONS = ("reduction", "class_axis", "ignore_index", "missing", "validate")

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
        class_axis: where losses of rows find their classes, and tables their labels: axis 1 by default for the
            cross-entropies, as PyTorch has it; -1 for predictions of shape (batch, time, classes).
        ignore_index: targets of class indices that are equal to this are left out; -100 by default.
        missing: "skip" leaves out targets that are NaN, a number those that are equal to it; a row of which a part is
            missing is left out. Class indices have `ignore_index`.
        validate: False switches the checks of values off.

    Raises:
        UsageError: an option that this loss cannot use.
        ParameterError: an unknown reduction, or a `missing` that is neither "skip" nor a number.
    """

    definition: ClassVar[Any] = Definition

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        torch.serialization.add_safe_globals([cls])
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
        ignore_index: int | None = None,
        missing: Missing | None = None,
        validate: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__()
        options: dict[str, Any] = {"reduction": reduction, "class_axis": class_axis, "ignore_index": ignore_index}
        self._settle(self.definition(*positional, **settings), **options, missing=missing, validate=validate)

    @final
    def _settle(
        self,
        loss: Any,
        *,
        reduction: Reduction = "mean",
        class_axis: int | None = None,
        ignore_index: int | None = None,
        missing: Missing | None = None,
        validate: bool = True,
    ) -> None:
        check_reduction(f"lossary.torch.{type(loss).__name__}", reduction, pooled=loss.pooled)
        _refuse_unusable(loss, class_axis, ignore_index)
        self._declared = loss
        self._key = None if isinstance(loss, Objective) and loss.learned else _key(loss)
        self.reduction: Reduction = reduction
        if class_axis is None:
            class_axis = _usual_class_axis(loss)
        self.class_axis = class_axis
        if ignore_index is None and loss.target.one_index:
            ignore_index = IGNORED
        self.ignore_index = ignore_index
        self.missing = accepted(loss, missing, of_index="ignore_index")
        self.validate = validate
        self._seen: list[bytes] = []  # what was in the buffers
        self._constant = loss
        for name, setting in loss.settings.items() if isinstance(loss, Loss) else ():
            if isinstance(setting, tuple) and setting and parameters_of(loss)[name].table:
                # In float64, for float64 predictions; it is rounded to the prediction's dtype where it is used.
                self.register_buffer(name, torch.tensor(setting, dtype=torch.float64))

    @property
    def loss(self) -> Any:
        """The loss as it is computed: its tables are what is in this module's buffers now."""
        if (
            not self._buffers
            or _in_trace()
            or any(buffer is None or buffer.is_meta for buffer in self._buffers.values())
        ):
            return self._declared
        return self._as_constants()

    @property
    def _bound(self) -> Any:
        """The loss whose tables are this module's buffers, so that they move and load with it."""
        if not self._buffers:
            return self._declared
        if not _in_trace() and all(map(_is_readable, self._buffers.values())):
            return self._as_constants()
        bound = object.__new__(type(self._declared))
        for name, setting in self._declared.settings.items():
            object.__setattr__(bound, name, self._buffers.get(name, setting))
        return bound

    def _as_constants(self) -> Loss:
        """The loss with what is in the buffers now, which kernels can take for constants."""
        tables = {name: buffer for name, buffer in self._buffers.items() if buffer is not None}
        seen = [(x if _is_readable(x) else x.double().cpu()).numpy().tobytes() for x in tables.values()]
        if self._seen != seen:
            entries = {name: tuple(buffer.tolist()) for name, buffer in tables.items()}
            self._seen, self._constant = seen, dataclasses.replace(self._declared, **entries)
        constant: Loss = self._constant
        return constant

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *positional: Any, **named: Any) -> None:
        """Tables are also found by the names that PyTorch's own losses save them under: `weight` of a cross-entropy."""
        for name in self._buffers:
            others = (prefix + other for other in parameters_of(self._declared)[name].foreign)
            foreign = next((other for other in others if other in state_dict), None)
            if foreign is not None and prefix + name not in state_dict:
                state_dict[prefix + name] = state_dict.pop(foreign)
        super()._load_from_state_dict(state_dict, prefix, *positional, **named)

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
        target: Any = None,
        *others: Any,
        weight: Any | None = None,
        where: Any | None = None,
        num_items_in_batch: Any | None = None,
        **named: Any,
    ) -> Tensor:
        """The loss of a batch.

        Args:
            input: the prediction, floating point; where a loss has several inputs that are learned, the first.
            target: what the loss takes: the same shape, or class indices without the class axis.
            others: what else the loss takes, in its order; or by its names.
            weight: how often each entry counts: the losses' shape or a leading part of it.
            where: boolean, False leaves an entry out.
            num_items_in_batch: what Hugging Face's Trainer divides by; it calls with a model's outputs and labels, as
                `lossary.trainers.hugging_face` says.
        """
        if num_items_in_batch is not None or isinstance(input, dict):
            return self._of_outputs(input, target, num_items_in_batch)
        inputs = self._ordered((input, target, *others), named)
        if torch.compiler.is_compiling():
            return self._in_graph(inputs, weight, where)
        return self.computed(inputs, weight, where)

    def computed(self, inputs: tuple[Any, ...], weight: Any, where: Any) -> Tensor:
        """The call, compiled or not."""
        result: Tensor = self._bound.compute(self._call(inputs, weight, where), reduction=self.reduction)
        return self._returned(result, inputs[0])

    @final
    def _in_graph(self, inputs: tuple[Any, ...], weight: Any, where: Any) -> Tensor:
        """The call as one node of the graph, where all that it depends on can be that node's arguments."""
        if self._key is None or not all(x is None or isinstance(x, Tensor) for x in (*inputs, weight, where)):
            return self.computed(inputs, weight, where)
        from lossary import torch_graph

        options = {name: getattr(self, name) for name in _OPTIONS}
        buffers, counted = dict(self._buffers), list(self._counted)
        result: Tensor = torch_graph.call(self._key, options, buffers, counted, weight, where, *inputs)
        return result

    @final
    def _ordered(self, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        """The inputs in the loss's order.

        Raises:
            UsageError: there are more or fewer than the loss takes, or one of another name.
        """
        names = self._declared.inputs
        if len(inputs) == len(names) and not named:
            return inputs
        while inputs and inputs[-1] is None:  # the target, where all but the first came by name
            inputs = inputs[:-1]
        rest = names[len(inputs) :]
        if len(inputs) > len(names) or set(named) != set(rest):
            takes = ", ".join(("input", "target") if names == ("prediction", "target") else names)
            columns = ", ".join(getattr(self._declared.prediction, "names", ()))  # elsewhere inputs of their own
            raise UsageError(
                f"lossary.torch.{type(self._declared).__name__} takes ({takes}), and weight= and where= by name.",
                received=f"{len(inputs)} by position{''.join(f', {name}=' for name in named)}.",
                hint=f"criterion({takes})" + (f", with input=torch.stack([{columns}], -1)." if columns else "."),
            )
        return (*inputs, *(named[name] for name in rest))

    @property
    def _counted(self) -> tuple[Tensor, ...]:
        """The parameters that penalties are about."""
        return ()

    @final
    def total(
        self, input: Tensor, target: Any = None, *others: Any, weight: Any = None, where: Any = None, **named: Any
    ) -> Total:
        """The sum of the losses and the weight it stands for: exact under micro-batches and ranks."""
        inputs = self._ordered((input, target, *others), named)
        total: Total = self._bound.compute_total(self._call(inputs, weight, where))
        return total

    @final
    def _of_outputs(self, outputs: Any, labels: Any, num_items_in_batch: Any) -> Tensor:
        """The loss as Hugging Face's Trainer calls it."""
        from lossary.trainers.hugging_face import compute_loss_func

        return compute_loss_func(self)(outputs, labels, num_items_in_batch)

    @final
    def _call(self, inputs: tuple[Any, ...], weight: Any, where: Any) -> Call:
        """The call as the framework-free loss takes it, classes last."""
        loss, (input, target, *others) = self._declared, inputs
        if not isinstance(input, Tensor):
            raise UsageError(
                f"lossary.torch.{type(loss).__name__} takes tensors, as criterion(input, target).",
                received=f"input of type {type(input).__name__}.",
                hint="the framework-free call takes any framework's arrays: loss(prediction=..., target=...).",
            )
        refuse_activated(loss, input)
        original_dtype = None
        if _under_autocast(input) and input.is_floating_point():
            original_dtype = ops.dtype(input)
            input = input.to(torch.promote_types(input.dtype, torch.float32))
        if loss.target.indices or (self.class_axis != -1 and loss.target.rows):  # whose axes are looked at, and moved
            target = target if isinstance(target, Tensor) else ops.convert(target, like=input)
        if self.class_axis != -1 and input.dim() > 1:
            self._check_class_axis(input, target)
            if not loss.prediction.rows:
                weight = _with_labels_last("weight", weight, input, self.class_axis)
                where = _with_labels_last("where", where, input, self.class_axis)
            input = input.movedim(self.class_axis, -1)
            if isinstance(target, Tensor) and target.dim() == input.dim():  # rows, refused where it takes indices
                target = target.movedim(self.class_axis, -1)
        missing = self.missing if self.ignore_index is None else self.ignore_index
        return Call((input, target, *others), weight, where, self.validate, original_dtype, missing)

    @final
    def _returned(self, result: Tensor, input: Tensor) -> Tensor:
        """Unreduced losses in the input's shape again, where the labels were moved."""
        if self.class_axis == -1 or self.reduction != "none" or self._declared.prediction.rows or input.dim() < 2:
            return result
        return result.movedim(-1, self.class_axis)

    @final
    def _check_class_axis(self, input: Tensor, target: Any) -> None:
        """Where the shapes only fit with the classes elsewhere, the error says so."""
        shape, axis = tuple(input.shape), self.class_axis
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"{type(self._declared).__name__}: class_axis={axis} is no axis of the input.",
                received=f"input {shape}.",
                hint="class_axis=-1 where the classes stand last.",
            )
        if not self._declared.target.indices:
            return
        target_shape = tuple(target.shape)
        without = shape[:axis] + shape[axis:][1:] if axis != -1 else shape[:-1]
        other = -1 if axis != -1 else 1
        elsewhere = shape[:-1] if other == -1 else shape[:1] + shape[2:]
        if target_shape not in (without, shape) and target_shape == elsewhere:
            raise ShapeError(
                f"{type(self._declared).__name__}: target must have the input's shape without its axis {axis}, the "
                "classes.",
                received=f"input {shape} and target {target_shape}.",
                hint=f"the shapes fit with the classes on axis {other}: class_axis={other}.",
            )

    def extra_repr(self) -> str:
        inside = repr(self.loss).removeprefix(type(self._declared).__name__)[1:-1]
        options = [inside] if inside else []
        usual = {
            "reduction": "mean",
            "class_axis": _usual_class_axis(self._declared),
            "ignore_index": IGNORED if self._declared.target.one_index else None,
            "missing": None,
            "validate": True,
        }
        options += [
            f"{name}={getattr(self, name)!r}" for name, default in usual.items() if getattr(self, name) != default
        ]
        return ", ".join(options)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]  # torch has no types for it
        if self._key is not None:
            self._key = _key(self._declared)  # of this process

    def __reduce__(self) -> Any:
        """Through the loss, so that classes for users' losses are found again too."""
        return _unpickled, (registry.reference(self.definition),), self.__dict__


@final
class ObjectiveModule(LossModule):
    """An objective as a module; penalties count over the parameters of `model`, which is not made a submodule.

    Factors that are parameters are parameters of this module: `(weight * Huber()).torch()` learns its weight.
    """

    definition: ClassVar[Any] = Objective

    def __init__(
        self,
        objective: Objective,
        *,
        model: nn.Module | None = None,
        reduction: Reduction = "mean",
        class_axis: int | None = None,
        ignore_index: int | None = None,
        missing: Missing | None = None,
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
        for name, (factor, _) in zip(objective.names, objective.summands, strict=True):
            if isinstance(factor, nn.Parameter):
                self.register_parameter(f"{name}_factor", factor)
        options: dict[str, Any] = {"reduction": reduction, "class_axis": class_axis, "ignore_index": ignore_index}
        self._settle(objective, **options, missing=missing, validate=validate)

    @property
    def _bound(self) -> Any:
        """The objective whose factors are this module's parameters, so that they move and load with it."""
        objective = self._declared
        if not self._parameters:
            return objective
        named = zip(objective.names, objective.summands, strict=True)
        return Objective(tuple((self._parameters.get(f"{name}_factor", f), term) for name, (f, term) in named))

    def computed(self, inputs: tuple[Any, ...], weight: Any, where: Any) -> Tensor:
        call, parameters = self._call(inputs, weight, where), self.counted or None
        result: Tensor = self._bound.compute(call, reduction=self.reduction, parameters=parameters)
        return self._returned(result, inputs[0])

    @property
    def _counted(self) -> tuple[Tensor, ...]:
        return self.counted

    def __deepcopy__(self, memo: dict[int, Any]) -> ObjectiveModule:
        """A copy that is about the same parameters; about the copied ones where it is copied with their model."""
        for parameter in self.counted:
            memo.setdefault(id(parameter), parameter)
        copied: ObjectiveModule = ObjectiveModule.__new__(ObjectiveModule)
        copied.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return copied

    def terms(
        self, input: Tensor, target: Any = None, *others: Any, weight: Any = None, where: Any = None, **named: Any
    ) -> dict[str, Tensor]:
        """Each term's share of the objective, by name."""
        call = self._call(self._ordered((input, target, *others), named), weight, where)
        shares: dict[str, Tensor] = self._bound.compute_terms(
            call, reduction=self.reduction, parameters=self.counted or None
        )
        return {name: self._returned(share, input) if share.dim() else share for name, share in shares.items()}

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
    # Under torch.compile a prediction that came out of a model has no graph that could be read.
    if torch.compiler.is_compiling() or input.grad_fn is None or not loss.prediction.of_logits:
        return
    node: Any = input.grad_fn
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


def _key(loss: Any) -> str:
    """What a loss is called in this process's graphs: Dynamo can hand on a text, and compare it fast."""
    key = _keys.setdefault(loss, f"{loss!r} {len(_keys)}")
    _named[key] = loss
    return key


def remade(key: str, options: dict[str, Any], buffers: dict[str, Tensor | None], counted: list[Tensor]) -> LossModule:
    """The module that is like the one which these were taken from."""
    loss = _named[key]
    module = _unpickled(type(loss))
    nn.Module.__init__(module)
    module._settle(loss, reduction=options["reduction"], validate=options["validate"])
    module.__dict__.update(options)
    module._buffers.update(buffers)
    if isinstance(module, ObjectiveModule):
        module.counted = tuple(counted)  # type: ignore[arg-type]  # what Dynamo makes of parameters
    return module


def _refuse_unusable(loss: Any, class_axis: int | None, ignore_index: int | None) -> None:
    """Raises UsageError for an option without effect: it would be taken for granted, and forgotten."""
    if ignore_index is not None and not loss.target.one_index:
        raise UsageError(
            f"ignore_index is for targets of class indices, one for each loss; {type(loss).__name__} has others.",
            received=f"ignore_index={ignore_index!r}.",
            hint=f"void={ignore_index!r} leaves pixels out."
            if loss.target.indices
            else "missing= leaves out targets that are NaN or a number that is named; where= any entry.",
        )
    losses = loss.losses if isinstance(loss, Objective) else (loss,)
    tables = any(isinstance(getattr(each, name), tuple) for each in losses for name in each.tables)
    if class_axis is not None and not (loss.prediction.rows or tables):
        raise UsageError(
            f"class_axis is for losses of rows and for tables of labels, which {loss!r} does not have.",
            received=f"class_axis={class_axis!r}.",
            hint="leave it out: every entry is compared on its own, whatever the axes.",
        )


def _usual_class_axis(loss: Any) -> int:
    """Where PyTorch has the classes: of one row of them for each loss, and of one for each pixel, behind the batch."""
    of_pixels = loss.task == "segmentation" and loss.prediction.innermost.rows
    return 1 if loss.task == "multiclass" or of_pixels else -1


def _with_labels_last(name: str, x: Any, input: Tensor, axis: int) -> Any:
    """A weight or mask of the input's shape or a leading part of it, repeated to that shape, the labels last."""
    if x is None:
        return None
    x = ops.convert(x, like=input)
    if tuple(x.shape) != tuple(input.shape)[: x.dim()]:
        raise ShapeError(
            f"{name} must have the losses' shape or a leading part of it.",
            received=f"{name} {tuple(x.shape)} and input {tuple(input.shape)}.",
        )
    return ops.expand(x, input).movedim(axis, -1)


def _in_trace() -> bool:
    """Whether numbers cannot be read: within a transform of torch.func not even those of a plain buffer."""
    return torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None


def _is_readable(buffer: Tensor | None) -> bool:
    """Whether its numbers are at hand."""
    return buffer is not None and ops.readable(buffer) and buffer.dtype != torch.bfloat16


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
    kind = ObjectiveModule if definition is Objective else _classes.of(registry.referred(definition))
    module: LossModule = kind.__new__(kind)
    return module


# A saved criterion is read by torch.load as it is by default, with weights_only=True: what is in it is data. Those of
# lossary's own losses are named in it, and their classes are safe as soon as the name was looked up.
torch.serialization.add_safe_globals([Objective, _unpickled, registry.empty])
registry.follow(lambda definition: torch.serialization.add_safe_globals([definition]))

# Every loss that a module was made of, and what it is called in graphs.
_keys: dict[Any, str] = {}
_named: dict[str, Any] = {}

_classes = Classes(__name__, LossModule)
__getattr__, __dir__ = _classes.attribute, _classes.names
