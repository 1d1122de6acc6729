from __future__ import annotations

from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import claims
from lossary.check.subject.as_loss import refuted
from lossary.check.subject.subject import Subject
from lossary.define import Convex, StrictlyConvex, StronglyConvex


@rule(
    "LSY509",
    severity="error",
    needs=(claims(Convex),),
    remedy="do not claim it: solvers and proofs that need convexity may stop anywhere",
    wrong="""
        import numpy as np
        from lossary.define import Convex

        def loss(prediction, target):
            r = prediction - target
            return r**2 / (1 + r**2)

        loss.claims = (Convex(),)
    """,
    right="""
        import numpy as np
        from lossary.define import Convex

        def loss(prediction, target):
            r = prediction - target
            return np.sqrt(1 + r**2) - 1

        loss.claims = (Convex(),)
    """,
    seen=(
        "JuliaML/LossFunctions.jl#43: losses marked strongly convex that are only strictly so",
        "uu-sml/sml-book-page#81: a textbook called the logistic loss strongly convex",
    ),
)
def convex(subject: Subject) -> Failure | None:
    """A loss that is said to be convex (strictly, strongly) lies below its chords, far out as near the target.

    Step sizes, stopping rules and the promise that a solver ends at the best model all rest on it. A loss that is
    bounded, or flattens far out, cannot be convex; one that is convex on the plot may not be in its tails.
    """
    for kind in (StronglyConvex, StrictlyConvex, Convex):
        failure = refuted(subject, kind)
        if failure is not None:
            return failure
    return None
