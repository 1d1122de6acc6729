import math

from lossary import Pointwise
from lossary.define.domains.numbers import Real
from tests.planted import planted, words


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


class Absolute(Pointwise):
    """By Python's abs, which is each framework's own: the slope at 0 is 1 in JAX, and 0 elsewhere."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp, p, y):
        return abs(p - y)


class Hinged(Pointwise):
    """By a framework's own function, where it has one: at a tie it is not what xp's is."""

    task = "regression"
    prediction, target = Real(), Real()

    def value(self, xp, p, y):
        return p.clip(min=1.0) if hasattr(p, "clip") else xp.maximum(p, 1.0)


@planted("LSY611", "torch", "jax")
def slope_at_a_kink_is_the_frameworks_own(xp):
    words("torch"), words("jax")  # which both must be loaded
    return getattr(Absolute(), xp.__name__.partition(".")[0])()


@planted("LSY611", "torch", "jax")
def share_at_a_tie_is_the_frameworks_own(xp):
    words("torch"), words("jax")
    return getattr(Hinged(), xp.__name__.partition(".")[0])()
