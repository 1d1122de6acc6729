from tests.planted import planted


@planted("LSY307", "numpy", task="regression")
def scale_of_numpy(xp):
    scale = xp.float64(0.5)

    def loss(prediction, target):
        return scale * xp.mean(xp.square(prediction - target))

    return loss


@planted("LSY307", "torch", task="regression")
def weights_in_double(xp):
    def loss(prediction, target):
        weight = xp.ones(len(prediction), dtype=xp.float64)
        return xp.mean(weight * xp.square(prediction - target))

    return loss


@planted("LSY307", "keras", "jax", task="regression")
def cast_to_half(xp):
    def loss(prediction, target):
        cast = xp.cast if hasattr(xp, "cast") else xp.astype
        return xp.mean(cast(xp.square(prediction - target), "bfloat16"))

    return loss
