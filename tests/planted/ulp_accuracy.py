from tests.planted import planted


@planted("LSY301", "numpy", "torch", "keras", "jax", task="regression")
def one_taken_from_a_root(xp):
    def loss(prediction, target):
        return xp.mean(xp.sqrt(1.0 + xp.square(prediction - target)) - 1.0)

    return loss


@planted("LSY301", "numpy", "torch", "keras", "jax", task="regression")
def log_two_taken_away(xp):
    def loss(prediction, target):
        error = xp.abs(prediction - target)
        return xp.mean(error + xp.log1p(xp.exp(-2.0 * error)) - 0.6931471805599453)

    return loss


@planted("LSY301", "numpy", "torch", "keras", "jax", task="binary", logits=True)
def one_minus_sigmoid(xp):
    def loss(logits, target):
        p = 1.0 / (1.0 + xp.exp(-logits))
        q = xp.where(p < 1.0, 1.0 - p, xp.exp(-xp.abs(logits)))
        return -xp.mean(target * xp.log(xp.where(p > 0.0, p, xp.exp(-xp.abs(logits)))) + (1.0 - target) * xp.log(q))

    return loss
