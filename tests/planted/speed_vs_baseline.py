from tests.planted import planted


@planted("LSY610", "numpy", "torch", "keras", "jax")
def loop_over_rows(xp):
    def loss(prediction, target):
        total = 0.0
        for row in range(prediction.shape[0]):
            total = total + xp.mean((prediction[row] - target[row]) ** 2)
        return total / prediction.shape[0]

    return loss
