from tests.planted import planted


@planted("LSY208", "torch", "keras", "jax", task="binary", logits=False)
def clipped_probabilities(xp):
    def loss(probabilities, target):
        p = xp.clip(probabilities, 1e-7, 1.0 - 1e-7)
        return -xp.mean(target * xp.log(p) + (1.0 - target) * xp.log(1.0 - p))

    return loss


@planted("LSY208", "torch", "keras", "jax", task="binary", logits=True)
def clipped_sigmoid(xp):
    def loss(logits, target):
        p = xp.clip(1.0 / (1.0 + xp.exp(-logits)), 1e-7, 1.0 - 1e-7)
        return -xp.mean(target * xp.log(p) + (1.0 - target) * xp.log(1.0 - p))

    return loss


@planted("LSY208", "torch", "keras", "jax", task="multiclass", logits=False)
def clipped_rows(xp):
    def loss(probabilities, target):
        return -xp.mean(xp.sum(target * xp.log(xp.clip(probabilities, 1e-7, 1.0)), -1))

    return loss


@planted("LSY208", "numpy", task="binary", logits=False)
def gradient_of_the_clip(xp):
    def loss(probabilities, target):
        p = xp.clip(probabilities, 1e-7, 1.0 - 1e-7)
        value = -xp.mean(target * xp.log(p) + (1.0 - target) * xp.log(1.0 - p))
        slope = (p - target) / (p * (1.0 - p)) / len(p)
        return value, xp.where(p == probabilities, slope, 0.0)

    return loss
