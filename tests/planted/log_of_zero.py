from tests.planted import planted


@planted("LSY203", "numpy", "torch", "keras", "jax", task="binary", logits=False)
def textbook_binary(xp):
    def loss(probabilities, target):
        return -xp.mean(target * xp.log(probabilities) + (1.0 - target) * xp.log(1.0 - probabilities))

    return loss


@planted("LSY203", "numpy", "torch", "keras", "jax", task="distribution", logits=False)
def textbook_divergence(xp):
    def loss(probabilities, target):
        return xp.mean(xp.sum(target * (xp.log(target) - xp.log(probabilities)), -1))

    return loss


@planted("LSY203", "numpy", "torch", "keras", "jax", task="multiclass", logits=False)
def textbook_categorical(xp):
    def loss(probabilities, target):
        return -xp.mean(xp.sum(target * xp.log(probabilities), -1))

    return loss
