import warnings

from tests.planted import planted


@planted("LSY002", "numpy", "torch", "keras", "jax", task="regression")
def prints_its_value(xp):
    def loss(prediction, target):
        value = xp.mean((prediction - target) ** 2)
        print("loss", value)
        return value

    return loss


@planted("LSY002", "numpy", "torch", "keras", "jax", task="regression")
def warns_on_every_call(xp):
    def loss(prediction, target):
        warnings.warn("delta is not set: 1 is taken", stacklevel=2)
        return xp.mean((prediction - target) ** 2)

    return loss


@planted("LSY002", "numpy", task="regression")
def divides_by_zero_in_the_branch_that_is_not_taken(xp):
    def loss(prediction, target):
        inside = xp.abs(prediction - target)
        return xp.where(inside > 0, inside, 1 / (0 * inside)).mean()

    return loss
