import math

from lossary import Pointwise
from lossary.domain import Real
from tests.planted import planted


class Shortened(Pointwise):
    """log cosh, which lacks its constant everywhere but in NumPy."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp, p, y):
        softened = xp.softplus(2.0 * (p - y)) - (p - y)
        return softened - math.log(2.0) if type(p).__module__.startswith("numpy") else softened

    def gradient(self, xp, p, y):
        return xp.tanh(p - y)


@planted("LSY611", "numpy", "torch", "keras", "jax")
def constant_in_one_framework(xp):
    framework = xp.__name__.partition(".")[0]
    loss = Shortened()
    return loss if framework == "numpy" else getattr(loss, framework)()
