from __future__ import annotations

import numpy as np

from lossary.check.instruments import shrink
from lossary.check.rulebook.rule import Failure, rule
from lossary.check.rulebook.tags import REGRESSION, claims
from lossary.check.subject import samples
from lossary.check.subject.subject import Subject, described
from lossary.define import Symmetric

_SIZES = tuple(float(x) for x in np.geomspace(1e-4, 1e4, 16))
_AGREES = 1e-5  # float32


@rule(
    "LSY507",
    severity="error",
    needs=(REGRESSION, claims(Symmetric)),
    remedy="compare the size of the residual with the threshold, not the residual",
    wrong="""
        import numpy as np
        from lossary.define import Symmetric

        def loss(input, target):
            e = input - target
            near, far = np.abs(e) <= 1, e > 1
            return near * e**2 / 2 + far * (np.abs(e) - 0.5)

        loss.claims = (Symmetric(),)
    """,
    right="""
        import numpy as np
        from lossary.define import Symmetric

        def loss(input, target):
            size = np.abs(input - target)
            return np.where(size <= 1, size**2 / 2, size - 0.5)

        loss.claims = (Symmetric(),)
    """,
    seen=(
        "marlbenchmark/on-policy#47: a Huber loss compared e > d, so that large negative errors cost nothing",
        "PKU-MARL/HARL#2: the same Huber loss in a fork",
    ),
)
def symmetric(subject: Subject) -> Failure | None:
    """A loss that is said to be symmetric costs the same on both sides of the target.

    Branches are written and tried with positive residuals. On the negative side the condition never holds, the branch
    is 0, and a network that predicts far too little is told that it is perfect.
    """

    def unequal(p: object, y: object) -> object:
        here, there = subject.rows(p, y), subject.rows(2 * y - p, y)  # type: ignore[operator]  # arrays
        return ~(np.abs(here - there) <= _AGREES * (1e-3 + np.abs(here) + np.abs(there))) & np.isfinite(here)

    row = shrink.alone(unequal, *samples.points(subject, _SIZES))
    if row is None:
        return None
    p, y = row
    here, there = float(subject.rows(p, y)[0]), float(subject.rows(2 * y - p, y)[0])
    return Failure(
        f"costs {here:.6g} on {described(p, y)}, and {there:.6g} as far on the other side",
        subject.code(np.concatenate([p, 2 * y - p]), np.concatenate([y, y])),
    )
