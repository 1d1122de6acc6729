from tests.planted import planted


@planted("LSY108", "numpy", "torch", "keras", "jax", task="regression")
def later_rows_count_less(xp):
    def loss(prediction, target):
        losses = xp.reshape((prediction - target) ** 2, (-1,))
        decay = xp.ones_like(losses) * 0.9
        return xp.sum(losses * xp.cumprod(decay, 0)) / xp.sum(xp.cumprod(decay, 0))

    return loss


@planted("LSY108", "numpy", "torch", "keras", "jax", task="regression", reduction="none")
def carried_on_from_row_to_row(xp):
    def loss(prediction, target):
        return xp.cumsum(xp.reshape((prediction - target) ** 2, (-1,)), 0)

    return loss


@planted("LSY108", "numpy", "torch", "keras", "jax", task="regression")
def neighbours_are_pairs(xp):
    def loss(prediction, target):
        error = xp.reshape(prediction - target, (-1,))
        return xp.mean(error**2) + xp.mean((error[1:] - error[:-1]) ** 2)

    return loss
