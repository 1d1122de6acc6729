from tests.planted import planted


@planted("LSY204", "numpy", "torch", "keras", "jax", task="regression")
def textbook_log_cosh(xp):
    def loss(prediction, target):
        return xp.mean(xp.log(xp.cosh(prediction - target)))

    return loss


@planted("LSY204", "numpy", "torch", "keras", "jax", task="binary", logits=True)
def textbook_softplus(xp):
    def loss(logits, target):
        return xp.mean(xp.log(1.0 + xp.exp(logits)) - target * logits)

    return loss


@planted("LSY204", "numpy", "torch", "keras", "jax", task="multiclass", logits=True)
def textbook_softmax(xp):
    def loss(logits, target):
        powers = xp.exp(logits)
        return xp.mean(xp.log(xp.sum(powers, -1)) - xp.sum(target * logits, -1))

    return loss


@planted("LSY204", "numpy", "torch", "keras", "jax", task="regression")
def root_of_a_square(xp):
    def loss(prediction, target):
        return xp.mean(xp.sqrt(1.0 + xp.square(prediction - target)))

    return loss
