"""The dtypes that predictions may have, and what is made of each."""

from __future__ import annotations

import os

# The spacing of each dtype a prediction may have, and what it is computed in.
SPACING = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}
COMPUTED_IN = {"float16": "float32", "bfloat16": "float32", "float32": "float32", "float64": "float64"}

# Value checks are on unless LOSSARY_VALIDATE=0 was set before lossary was first used.
VALIDATE = os.environ.get("LOSSARY_VALIDATE", "1") != "0"


def spacing_of(prediction: str, target: str | None) -> float:
    """The spacing of the coarser of two dtypes; of the prediction's, where the target holds no floats."""
    return max(SPACING[prediction], SPACING.get(target or "", 0.0))
