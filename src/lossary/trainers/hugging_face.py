"""Losses in Hugging Face's Trainer: exact means over all that a step accumulates, by the Trainer's own count.

    from lossary.trainers.hugging_face import compute_loss_func

    Trainer(model, args, train_dataset=rows, compute_loss_func=compute_loss_func(loss, shift=True))

The Trainer counts the labels of all micro-batches and ranks that are not −100 (`num_items_in_batch`), and expects the
sum of a micro-batch's losses divided by that. A mean of each micro-batch would be a mean of means, and too large by
their number, for the Trainer does not divide it again.
"""

from __future__ import annotations

import dataclasses
import re
from typing import Any, final

try:
    import torch
    from torch import Tensor
except ModuleNotFoundError as error:
    from lossary.errors import MissingExtraError

    raise MissingExtraError(
        "lossary.trainers.hugging_face needs PyTorch.", hint="pip install 'lossary[torch]'."
    ) from error

from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.errors import ShapeError, UsageError
from lossary.torch import LossModule

__all__ = ["ComputeLoss", "compute_loss_func"]

# The label that the Trainer does not count.
_IGNORED = -100

# What transformers' outputs say of their logits by their class. Those of causal language models predict the next label:
# so the Trainer's own label smoother takes them. `CausalLMOutput` itself is shared with models of CTC: it says nothing.
_PREDICTS_NEXT = re.compile(r"CausalLMOutput(?=With)|\wCausalLMOutput")
_ALIGNED = re.compile(r"MaskedLMOutput|TokenClassifierOutput|Seq2SeqLMOutput")


def compute_loss_func(loss: Loss | Objective | LossModule, *, shift: bool | None = None) -> ComputeLoss:
    """What `Trainer(compute_loss_func=...)` takes, of a loss or of its module.

    Args:
        loss: a loss, or its module where options are to be said: `loss.torch(class_axis=1)`. The module of a loss has
            the classes on the last axis here.
        shift: whether the logits of each position predict the next label, as those of a causal language model do,
            whose labels come unshifted. By default the class of the model's outputs decides: those of causal models
            are shifted, those of masked and sequence-to-sequence models and token classifiers are not, and for others
            it must be said. `shift=False` for the decoders of BART and its kin (`BartForCausalLM`), where labels have
            been shifted beforehand, as their own loss wants them.

    Raises:
        UsageError: the Trainer's count is no denominator for this loss: it has class weights, another ignore_index,
            missing=, or another reduction than the mean.
    """
    if isinstance(loss, LossModule):
        return ComputeLoss(loss, shift)
    return ComputeLoss(loss.torch(class_axis=-1) if loss.task == "multiclass" else loss.torch(), shift)


@final
@dataclasses.dataclass(frozen=True)
class ComputeLoss:
    """A loss as the Trainer calls it; made by `compute_loss_func`."""

    criterion: LossModule
    shift: bool | None = None

    def __post_init__(self) -> None:
        loss = self._loss
        losses = loss.losses if isinstance(loss, Objective) else (loss,)
        if any(getattr(each, "class_weight", ()) for each in losses):
            raise UsageError(
                "the Trainer divides by the number of labels, and class weights need the sum of their weights.",
                received=f"{loss!r}.",
                hint="leave class_weight out; pos_weight, which is part of the loss, may stay.",
            )
        if loss.target.indices and self.criterion.ignore_index != _IGNORED:
            raise UsageError(
                f"the Trainer counts the labels that are not {_IGNORED}.",
                received=f"ignore_index={self.criterion.ignore_index}.",
                hint=f"write {_IGNORED} where a label is to be ignored.",
            )
        if self.criterion.missing is not None:
            raise UsageError(
                f"the Trainer counts the labels that are not {_IGNORED}, missing ones too.",
                received=f"missing={self.criterion.missing!r}.",
                hint=f"write {_IGNORED} where a label is missing, in the data set or the collator.",
            )
        if self.criterion.reduction != "mean":
            raise UsageError(
                "the Trainer wants a mean, over all that a step accumulates.",
                received=f"reduction={self.criterion.reduction!r}.",
                hint="drop reduction=.",
            )

    def __call__(self, outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Tensor:
        """The sum of a micro-batch's losses over the number of labels in the whole batch; without one, the mean.

        Labels of −100 are left out, as the Trainer leaves them out of its count.

        Raises:
            UsageError: the outputs have no logits, there are no labels, or it is not clear whether to shift.
        """
        logits, labels = self._aligned(outputs, *self._tensors(outputs, labels))
        loss = self._loss
        where = None if loss.target.indices or loss.target.rows else labels != _IGNORED
        total = self.criterion.total(logits, labels, where=where)
        if num_items_in_batch is None:
            return total.mean  # type: ignore[no-any-return]  # a tensor, for the input is one
        count = torch.as_tensor(num_items_in_batch, device=logits.device)
        if loss.target.rows:  # of which the Trainer has counted every number
            count = count / labels.shape[self.criterion.class_axis]
        return total.sum / count.clamp(min=1)  # type: ignore[no-any-return]  # as above

    @property
    def _loss(self) -> Any:
        return self.criterion.loss

    def _tensors(self, outputs: Any, labels: Any) -> tuple[Tensor, Tensor]:
        """The logits among the outputs, and the labels."""
        name = type(self._loss).__name__
        logits = outputs.get("logits") if isinstance(outputs, dict) else None
        if not isinstance(logits, Tensor):
            raise UsageError(
                f"{name} needs the model's logits.",
                received=f"a {type(outputs).__name__} without any.",
                hint="write the function yourself: lambda outputs, labels, num_items_in_batch=None: ..., with "
                "criterion.total(...).sum / num_items_in_batch.",
            )
        if not isinstance(labels, Tensor):
            raise UsageError(
                f"{name} needs labels.",
                received=f"labels of type {type(labels).__name__}.",
                hint='rows of the data set have an entry "labels".',
            )
        return logits, labels

    def _aligned(self, outputs: Any, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and labels side by side: shifted where the next label is predicted, without a last axis of size 1."""
        rows, name = self._loss.prediction.rows, type(outputs).__name__
        sequence = rows and logits.dim() == 3
        if sequence and self.criterion.class_axis not in {-1, 2}:
            raise ShapeError(
                f"{type(self._loss).__name__}: logits of {name} have their classes last.",
                received=f"class_axis={self.criterion.class_axis} and logits {tuple(logits.shape)}.",
                hint="class_axis=-1.",
            )
        shift = self.shift
        if shift is None and sequence:
            shift = bool(_PREDICTS_NEXT.search(name))
            if not shift and not _ALIGNED.search(name):
                raise UsageError(
                    "it must be said whether logits predict the label of their own position or the next one.",
                    received=f"logits {tuple(logits.shape)} of {name}.",
                    hint="lossary.trainers.hugging_face.compute_loss_func(loss, shift=True) for causal language models "
                    "with unshifted labels, shift=False for all others.",
                )
        if shift:
            logits, labels = logits[:, :-1], labels[:, 1:]
        if not rows and logits.shape == (*labels.shape, 1):
            logits = logits[..., 0]
        return logits, labels
