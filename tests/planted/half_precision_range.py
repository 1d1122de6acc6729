from tests.planted import planted


@planted("LSY303", "numpy", "torch", "keras", "jax", task="binary", logits=False)
def epsilon_that_vanishes(xp):
    def loss(probabilities, target):
        towards = target * xp.log(probabilities + 1e-8) + (1.0 - target) * xp.log(1.0 - probabilities + 1e-8)
        return -xp.mean(towards)

    return loss


@planted("LSY303", "numpy", "torch", "jax", task="regression")
def square_before_the_root(xp):
    def loss(prediction, target):
        return xp.mean(xp.sqrt(xp.square(prediction - target) + 1e-2))

    return loss


@planted("LSY303", "numpy", "torch", "jax", task="regression")
def sum_by_number(xp):
    def loss(prediction, target):
        return xp.sum(xp.abs(prediction - target)) / len(prediction)

    return loss
