from tests.planted import planted


@planted("LSY201", "torch", "keras", "jax", task="regression")
def root_of_the_mean_square(xp):
    def loss(prediction, target):
        return xp.sqrt(xp.mean((prediction - target) ** 2))

    return loss


@planted("LSY201", "torch", "keras", "jax", task="regression")
def root_of_each_square(xp):
    def loss(prediction, target):
        return xp.mean(xp.sqrt(xp.square(prediction - target)))

    return loss


@planted("LSY201", "numpy", task="regression")
def error_by_its_size(xp):
    def loss(prediction, target):
        error = prediction - target
        return xp.mean(xp.abs(error)), error / xp.abs(error) / len(error)

    return loss


@planted("LSY201", "torch", "keras", "jax", task="distribution", logits=False)
def distance_of_roots(xp):
    def loss(probabilities, target):
        between = xp.sum(xp.square(xp.sqrt(probabilities) - xp.sqrt(target)), -1)
        return xp.mean(xp.sqrt(between))

    return loss
