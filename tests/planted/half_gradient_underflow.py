from tests.planted import planted


@planted("LSY305", "torch", "keras", "jax", task="binary", logits=True)
def sigmoid_then_logarithm(xp):
    def loss(logits, target):
        p = 1.0 / (1.0 + xp.exp(-logits))
        return -xp.mean(xp.log(target * p + (1.0 - target) * (1.0 - p)))

    return loss


@planted("LSY305", "torch", "keras", "jax", task="multiclass", logits=True)
def softmax_then_logarithm(xp):
    def loss(logits, target):
        powers = xp.exp(logits)
        p = xp.sum(target * powers, -1) / xp.sum(powers, -1)
        return -xp.mean(xp.log(p))

    return loss
