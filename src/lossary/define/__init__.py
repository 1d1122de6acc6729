"""All that a loss or a penalty is written with, in one place: `from lossary.define import Pointwise, Real, parameter`.

What lossary's own losses import is what anybody's may: nothing else of lossary belongs into a loss.
"""

from lossary.define.choice import AgainstNoise, Balance, Choice, Counted, TimesSpread, Wanted
from lossary.define.claims.claim import Claim, Separable
from lossary.define.claims.classes import ClassificationCalibrated, NotProper, Proper
from lossary.define.claims.curve import (
    Convex,
    NonNegative,
    NotConvex,
    NotSymmetricInArguments,
    ShiftInvariant,
    StrictlyConvex,
    StronglyConvex,
    Symmetric,
    ZeroAtTarget,
)
from lossary.define.claims.estimates import (
    Estimates,
    EstimatesBulk,
    EstimatesCentre,
    EstimatesCircularMean,
    EstimatesHuberQuantile,
    EstimatesTransformed,
    EstimatesWeighted,
)
from lossary.define.claims.laws import (
    EstimatesHazardRatio,
    EstimatesLaw,
    EstimatesLocationAndScale,
    EstimatesMoments,
    EstimatesQuantiles,
)
from lossary.define.claims.slope import Differentiable, Kinked, Lipschitz, Smooth, Sparse, UnboundedGradient
from lossary.define.domains.classes import ClassIndex, Labels, Logits, Simplex
from lossary.define.domains.domain import Domain, Learned
from lossary.define.domains.numbers import Group, Indicator, NonZero, Positive, Probability, Real, Score
from lossary.define.domains.rows import Boxes, Columns, Quantiles, Row
from lossary.define.identity import Identity
from lossary.define.loss import Batchwise, Pointwise, Rowwise
from lossary.define.metric import Metric
from lossary.define.notation import Notation
from lossary.define.parameters import Levels, NumberOrTable, Pair, Table, parameter
from lossary.define.penalty import Penalty
from lossary.define.twin import Departure, Twin
from lossary.errors import DifferentiationError
from lossary.ops.ops import Array

__all__ = [
    "AgainstNoise",
    "Array",
    "Balance",
    "Batchwise",
    "Boxes",
    "Choice",
    "Claim",
    "ClassIndex",
    "ClassificationCalibrated",
    "Columns",
    "Convex",
    "Counted",
    "Departure",
    "Differentiable",
    "DifferentiationError",
    "Domain",
    "Estimates",
    "EstimatesBulk",
    "EstimatesCentre",
    "EstimatesCircularMean",
    "EstimatesHazardRatio",
    "EstimatesHuberQuantile",
    "EstimatesLaw",
    "EstimatesLocationAndScale",
    "EstimatesMoments",
    "EstimatesQuantiles",
    "EstimatesTransformed",
    "EstimatesWeighted",
    "Group",
    "Identity",
    "Indicator",
    "Kinked",
    "Labels",
    "Learned",
    "Levels",
    "Lipschitz",
    "Logits",
    "Metric",
    "NonNegative",
    "NonZero",
    "NotConvex",
    "NotProper",
    "NotSymmetricInArguments",
    "Notation",
    "NumberOrTable",
    "Pair",
    "Penalty",
    "Pointwise",
    "Positive",
    "Probability",
    "Proper",
    "Quantiles",
    "Real",
    "Row",
    "Rowwise",
    "Score",
    "Separable",
    "ShiftInvariant",
    "Simplex",
    "Smooth",
    "Sparse",
    "StrictlyConvex",
    "StronglyConvex",
    "Symmetric",
    "Table",
    "TimesSpread",
    "Twin",
    "UnboundedGradient",
    "Wanted",
    "ZeroAtTarget",
    "parameter",
]
