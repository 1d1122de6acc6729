from tests.planted import planted


@planted("LSY107", "numpy", "torch", "keras", "jax", task="regression", reduction="mean")
def mean_divided_again(xp):
    def loss(prediction, target):
        return xp.mean((prediction - target) ** 2) / prediction.shape[0]

    return loss


@planted("LSY107", "numpy", "torch", "keras", "jax", task="regression", reduction="none")
def rows_divided_by_their_number(xp):
    def loss(prediction, target):
        return xp.reshape(xp.abs(prediction - target), (-1,)) / prediction.shape[0]

    return loss


@planted("LSY107", "numpy", "torch", "keras", "jax", task="regression")
def square_root_of_the_number(xp):
    def loss(prediction, target):
        return xp.sum((prediction - target) ** 2) / prediction.shape[0] ** 0.5

    return loss
