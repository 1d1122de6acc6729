from tests.planted import planted


@planted("LSY505", "numpy", "torch", "keras", "jax", task="regression")
def sign_turned(xp):
    def loss(prediction, target):
        return -xp.mean((prediction - target) ** 2)

    return loss


@planted("LSY505", "numpy", "torch", "keras", "jax", task="regression")
def far_branch_falls(xp):
    def loss(prediction, target):
        size = xp.abs(prediction - target)
        return xp.mean(xp.where(size < 1, size**2 / 2, 0.5 - size))

    return loss


@planted("LSY505", "numpy", "torch", "keras", "jax", task="multiclass", logits=False)
def minus_forgotten(xp):
    def loss(prediction, target):
        return xp.mean(xp.sum(target * xp.log(prediction), -1))

    return loss


@planted("LSY505", "numpy", "torch", "keras", "jax", task="binary", logits=True)
def minus_forgotten_with_logits(xp):
    def loss(prediction, target):
        return xp.mean(xp.log1p(xp.exp((2 * target - 1) * prediction)))

    return loss
