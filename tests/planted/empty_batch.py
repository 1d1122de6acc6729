from tests.planted import planted


@planted("LSY113", "numpy", "torch", "keras", "jax", task="regression")
def mean_of_no_rows(xp):
    def loss(prediction, target):
        return xp.mean((prediction - target) ** 2)

    return loss


@planted("LSY113", "numpy", "torch", "keras", "jax", task="regression", reduction="none")
def a_number_for_no_rows(xp):
    def loss(prediction, target):
        losses = xp.reshape((prediction - target) ** 2, (-1,))
        return losses if losses.shape[0] else xp.ones((1,))

    return loss
