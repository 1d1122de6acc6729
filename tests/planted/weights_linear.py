from tests.planted import planted


@planted("LSY110", "numpy", "torch", "keras", "jax", task="regression")
def weights_of_the_mean(xp):
    def loss(prediction, target, weight=None):
        value = xp.mean((prediction - target) ** 2)
        return value if weight is None else value * xp.mean(weight)

    return loss


@planted("LSY110", "numpy", "torch", "keras", "jax", task="regression")
def applied_twice(xp):
    def loss(prediction, target, weight=None):
        losses = (prediction - target) ** 2
        if weight is None:
            return xp.mean(losses)
        weight = xp.reshape(weight, losses.shape)
        return xp.mean(weight * (weight * losses))

    return loss


@planted("LSY110", "numpy", "torch", "keras", "jax", task="regression", reduction="none")
def inside_of_the_square(xp):
    def loss(prediction, target, sample_weight=None):
        error = xp.reshape(prediction - target, (-1,))
        return (error if sample_weight is None else sample_weight * error) ** 2

    return loss


@planted("LSY110", "numpy", "torch", "keras", "jax", task="regression")
def taken_and_forgotten(xp):
    def loss(prediction, target, sample_weight=None):
        return xp.mean(xp.abs(prediction - target))

    return loss


@planted("LSY110", "numpy", "torch", "keras", "jax", task="regression")
def nothing_times_nan(xp):
    def loss(prediction, target, weight=None):
        losses = (prediction - target) ** 2
        return xp.mean(losses if weight is None else xp.reshape(weight, losses.shape) * losses)

    return loss
