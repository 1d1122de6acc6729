from __future__ import annotations

from lossary.check.instruments.differences import finest
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import DIFFERENTIATES
from lossary.check.subject import samples
from lossary.check.subject.subject import LossRaised, Subject


@rule(
    "LSY404",
    severity="error",
    needs=(DIFFERENTIATES,),
    remedy="compute with the framework's own differentiable operations on the prediction itself: no argmax, round, "
    "comparison, .item(), .detach() or .numpy() between it and the loss",
    wrong="""
        import torch

        def loss(input, target):
            return ((input.round() - target) ** 2).mean()
    """,
    right="""
        import torch

        def loss(input, target):
            return ((input - target) ** 2).mean()
    """,
    seen=(
        "tensorflow/tensorflow#8625: a loss through a rounding step had no gradients for any variable",
        "keras-team/keras#4175: an argmax inside a custom loss left the optimiser with None for a gradient",
        "Ugenteraan/Deep_Hierarchical_Classification#6: a penalty of argmaxes never trained anything",
    ),
)
def not_detached(subject: Subject) -> Failure | None:
    """The gradient reaches the prediction, and is not 0 wherever one looks.

    An argmax, a round, a comparison made into floats or a tensor made anew from numbers cuts the loss from the network.
    The value goes on being printed and looks like a loss; beside other terms nothing even raises, and the term simply
    does nothing.
    """
    p, y = subject.batch(samples.GRID, dtype=finest(subject))
    subject.values(p, y)  # what a plain call raises is no matter of gradients
    try:
        gradient = subject.gradient(p, y)
    except LossRaised as error:
        reason = f"{type(error.original).__name__}: {str(error.original).splitlines()[0][:90]}"
        return Failure(f"there is no gradient ({reason})", subject.code(p[:1], y[:1], gradient=True))
    if gradient.any():
        return None
    return Failure(
        f"the gradient is 0 at all of {gradient.size} ordinary points", subject.code(p[:1], y[:1], gradient=True)
    )
