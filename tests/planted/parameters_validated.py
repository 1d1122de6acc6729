from tests.planted import planted


@planted("LSY510", "numpy", "torch", "keras", "jax", task="regression")
def any_delta(xp):
    def loss(prediction, target, delta=1.0):
        size = xp.abs(prediction - target)
        return xp.mean(xp.where(size <= delta, size**2 / 2, delta * (size - delta / 2)))

    return loss


@planted("LSY510", "numpy", "torch", "keras", "jax", task="regression")
def quantile_in_percent(xp):
    def loss(prediction, target, quantile=0.5):
        r = target - prediction
        return xp.mean(xp.where(r > 0, quantile * r, (quantile - 1) * r))

    return loss


@planted("LSY510", "numpy", "torch", "keras", "jax", task="regression")
def unknown_reduction_means_none(xp):
    def loss(prediction, target, reduction="mean"):
        squares = (prediction - target) ** 2
        return {"mean": xp.mean, "sum": xp.sum}.get(reduction, lambda x: x)(squares)

    return loss
