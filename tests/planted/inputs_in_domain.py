from tests.planted import planted


@planted("LSY209", "numpy", "torch", "keras", "jax", task="binary", logits=True)
def any_label(xp):
    def loss(logits, target):
        return xp.mean(xp.maximum(logits, 0.0 * logits) - target * logits + xp.log1p(xp.exp(-xp.abs(logits))))

    return loss


@planted("LSY209", "numpy", "torch", "keras", "jax", task="binary", logits=False)
def any_probability(xp):
    def loss(probabilities, target):
        return xp.mean(xp.square(probabilities - target))

    return loss


@planted("LSY209", "numpy", "torch", "keras", "jax", task="distribution", logits=False)
def any_row(xp):
    def loss(probabilities, target):
        return xp.mean(xp.sum(xp.square(probabilities - target), -1))

    return loss
