from lossary.define.claims.curve import NonNegative
from tests.planted import planted

_NON_NEGATIVE = {"claimed_properties": (NonNegative(),), "definition": None}


@planted("LSY506", "numpy", "torch", "keras", "jax", task="regression", **_NON_NEGATIVE)
def constant_of_seven_digits(xp):
    def loss(prediction, target):
        size = xp.abs(prediction - target)
        return xp.mean(size + xp.log1p(xp.exp(-2 * size)) - 0.6931472)

    return loss


@planted("LSY506", "numpy", "torch", "keras", "jax", task="regression", **_NON_NEGATIVE)
def wrong_offset_of_a_branch(xp):
    def loss(prediction, target):
        size = xp.abs(prediction - target)
        return xp.mean(xp.where(size < 0.25, size**2 / 2, size - 0.5))

    return loss
