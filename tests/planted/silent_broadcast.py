from tests.planted import planted


@planted("LSY101", "numpy", "torch", "keras", "jax")
def no_look_at_shapes(xp):
    def loss(prediction, target):
        return xp.mean((prediction - target) ** 2)

    return loss
