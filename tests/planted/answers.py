from tests.planted import planted


@planted("LSY001", "numpy", "torch", "keras", "jax", task="regression")
def gives_text(xp):
    def loss(prediction, target):
        return str(xp.mean((prediction - target) ** 2))

    return loss


@planted("LSY001", "numpy", "torch", "keras", "jax", task="regression")
def returns_nothing(xp):
    def loss(prediction, target):
        xp.mean((prediction - target) ** 2)

    return loss


@planted("LSY001", "numpy", "torch", "keras", "jax", task="regression")
def returns_a_dictionary(xp):
    def loss(prediction, target):
        return {"loss": xp.mean((prediction - target) ** 2)}

    return loss


@planted("LSY001", "numpy", "torch", "keras", "jax", task="regression")
def root_of_what_may_be_negative(xp):
    def loss(prediction, target):
        return xp.mean(xp.sqrt(prediction - target))

    return loss


@planted("LSY001", "numpy", "torch", "keras", "jax", task="regression")
def asks_for_an_argument_that_nobody_gives(xp):
    def loss(prediction, target, delta=None):
        return xp.mean((prediction - target) ** 2 / delta)

    return loss
