from tests.planted import planted


def _softmax(xp, z):
    share = xp.exp(z - xp.amax(z, -1, keepdims=True))
    return share / xp.sum(share, -1, keepdims=True)


@planted("LSY502", "numpy", "torch", "keras", "jax", task="multiclass", logits=True)
def softmax_twice(xp):
    def loss(prediction, target):
        return -xp.mean(xp.sum(target * xp.log(_softmax(xp, _softmax(xp, prediction))), -1))

    return loss


@planted("LSY502", "numpy", "torch", "keras", "jax", task="multiclass", logits=False)
def softmax_of_probabilities(xp):
    def loss(prediction, target):
        return -xp.mean(xp.sum(target * xp.log(_softmax(xp, prediction)), -1))

    return loss


@planted("LSY502", "numpy", "torch", "keras", "jax", task="binary", logits=True)
def sigmoid_twice(xp):
    def loss(prediction, target):
        p = 1 / (1 + xp.exp(-1 / (1 + xp.exp(-prediction))))
        return -xp.mean(target * xp.log(p) + (1 - target) * xp.log(1 - p))

    return loss


@planted("LSY502", "numpy", "torch", "keras", "jax", task="binary", logits=True)
def logits_taken_for_probabilities(xp):
    def loss(prediction, target):
        p = xp.clip(prediction, 1e-6, 1 - 1e-6)
        return -xp.mean(target * xp.log(p) + (1 - target) * xp.log(1 - p))

    return loss


@planted("LSY502", "torch", "keras", "jax", task="sparse", logits=True)
def the_frameworks_own_after_a_softmax(xp):
    if xp.__name__ == "torch":
        entropy = xp.nn.functional.cross_entropy
    elif xp.__name__ == "jax.numpy":
        import optax

        entropy = optax.softmax_cross_entropy_with_integer_labels
    else:

        def entropy(z, y):
            return xp.sparse_categorical_crossentropy(y, z, from_logits=True)

    def loss(prediction, target):
        return entropy(_softmax(xp, prediction), target)

    return loss
