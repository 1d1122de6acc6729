from tests.planted import planted


@planted("LSY206", "numpy", "torch", "keras", "jax", task="regression")
def only_what_is_larger(xp):
    def loss(prediction, target):
        error = prediction - target
        return xp.mean(xp.where(error > 0.0, error, 0.0) + xp.where(error < 0.0, -error, 0.0))

    return loss


@planted("LSY206", "numpy", "torch", "jax", task="regression")
def repaired_numbers(xp):
    def loss(prediction, target):
        return xp.mean(xp.square(xp.nan_to_num(prediction) - target))

    return loss


@planted("LSY206", "keras", task="regression")
def repaired_tensors(xp):
    def loss(prediction, target):
        return xp.mean(xp.square(xp.nan_to_num(prediction) - target))

    return loss


@planted("LSY206", "torch", "jax", task="regression")
def sign_of_nan(xp):
    def loss(prediction, target):
        error = prediction - target
        return xp.mean(xp.where(error < 0.0, -0.1 * error, 0.9 * error))

    return loss
