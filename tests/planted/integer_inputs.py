from tests.planted import planted


@planted("LSY308", "numpy", "torch", "jax", task="binary", logits=True)
def signs_of_bytes(xp):
    def loss(logits, target):
        towards = (2 * target - 1) * logits
        return xp.mean(xp.log1p(xp.exp(-xp.abs(towards))) + xp.maximum(-towards, 0 * towards))

    return loss


@planted("LSY308", "keras", task="regression")
def difference_of_bytes(xp):
    def loss(prediction, target):
        return xp.mean(xp.cast(xp.square(prediction - target), "float32"))

    return loss


@planted("LSY308", "numpy", "torch", "jax", task="regression")
def minus_the_target(xp):
    def loss(prediction, target):
        return xp.mean(xp.square(-target + prediction))

    return loss
