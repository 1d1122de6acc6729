from tests.planted import planted


@planted("LSY609", "numpy", "torch", "keras", "jax")
def diagonal_of_all_pairs(xp):
    def loss(prediction, target):
        p, y = xp.reshape(prediction, (-1,)), xp.reshape(target, (-1,))
        return xp.mean(xp.diagonal((p[:, None] - y[None, :]) ** 2))

    return loss


@planted("LSY609", "numpy", "torch", "keras", "jax")
def mean_by_a_matrix(xp):
    def loss(prediction, target):
        error = xp.reshape((prediction - target) ** 2, (-1,))
        count = error.shape[0]
        return xp.mean(xp.matmul(xp.ones((count, count)) / count, error[:, None]))

    return loss
