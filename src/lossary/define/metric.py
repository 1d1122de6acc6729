"""What a loss is judged by beside itself."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from collections.abc import Mapping


@final
@dataclasses.dataclass(frozen=True)
class Metric:
    """A metric of scikit-learn for what a loss estimates, by which it is judged beside the metrics of its task.

    Args:
        name: what it is called in `lossary.metrics`.
        function: its name in `sklearn.metrics`.
        settings: which of its arguments are which hyper-parameters of the loss.
    """

    name: str
    function: str
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
