from tests.planted import planted


@planted("LSY106", "numpy", "torch", "keras", "jax", task="regression")
def scaled_by_the_batch(xp):
    def loss(prediction, target):
        losses = xp.reshape((prediction - target) ** 2, (-1,))
        return losses / (1.0 + xp.mean(losses))

    return loss


@planted("LSY106", "numpy", "torch", "keras", "jax", task="multiclass", logits=True)
def softmax_over_the_batch(xp):
    def loss(prediction, target):
        shifted = prediction - xp.max(prediction)
        shares = xp.exp(shifted) / xp.sum(xp.exp(shifted), 0)
        return -xp.sum(target * xp.log(shares), -1)

    return loss


@planted("LSY106", "numpy", "torch", "jax", task="multiclass", logits=True)
def maximum_of_the_batch(xp):
    def loss(prediction, target):
        shifted = prediction - xp.max(prediction)
        return xp.log(xp.sum(xp.exp(shifted), -1)) - xp.sum(target * shifted, -1)

    return loss


@planted("LSY106", "torch", task="regression", reduction="mean")
def sorted_when_unreduced(xp):
    def loss(prediction, target, reduction="mean"):
        losses = (prediction - target) ** 2
        return losses.mean() if reduction == "mean" else losses.sort().values

    return loss
