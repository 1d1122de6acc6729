from tests.planted import planted


@planted("LSY202", "torch", "keras", "jax", task="regression")
def log_cosh_in_two_branches(xp):
    def loss(prediction, target):
        error = xp.abs(prediction - target)
        return xp.mean(xp.where(error < 20.0, xp.log(xp.cosh(error)), error - 0.6931471805599453))

    return loss


@planted("LSY202", "torch", "keras", "jax", task="binary", logits=True)
def softplus_in_two_branches(xp):
    def loss(logits, target):
        softplus = xp.where(logits > 30.0, logits, xp.log(1.0 + xp.exp(logits)))
        return xp.mean(softplus - target * logits)

    return loss


@planted("LSY202", "numpy", task="regression")
def slope_by_quotient(xp):
    def loss(prediction, target):
        error = prediction - target
        value = xp.mean(xp.abs(error) + xp.log1p(xp.exp(-2.0 * xp.abs(error))) - xp.log(2.0).astype(error.dtype))
        return value, xp.sinh(error) / xp.cosh(error) / len(error)

    return loss
