from tests.planted import planted


@planted("LSY304", "torch", "keras", "jax", task="regression")
def added_up_in_parts(xp):
    def loss(prediction, target):
        losses = xp.square(prediction - target)
        total = 0.0 * losses[0]
        for start in range(0, len(losses), 4):
            total = total + xp.sum(losses[start : start + 4])
        return xp.mean(total / len(losses))

    return loss
