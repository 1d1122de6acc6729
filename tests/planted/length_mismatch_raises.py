from tests.planted import planted


@planted("LSY102", "numpy", "torch", "keras", "jax", task="regression")
def zip_stops_at_the_shorter(xp):
    def loss(prediction, target):
        return xp.mean(xp.stack([(p - t) ** 2 for p, t in zip(prediction, target)]))  # noqa: B905  # the bug

    return loss


@planted("LSY102", "numpy", "torch", "keras", "jax", task="regression")
def cut_to_the_target(xp):
    def loss(prediction, target):
        return xp.mean((prediction[: target.shape[0]] - target[: prediction.shape[0]]) ** 2)

    return loss


@planted("LSY102", "torch", task="sparse", logits=True)
def gather_takes_fewer(xp):
    def loss(logits, labels):
        return -logits.log_softmax(-1).gather(1, labels[:, None]).mean()

    return loss


@planted("LSY102", "numpy", "torch", "keras", "jax", task="regression")
def flattened(xp):
    def loss(prediction, target):
        return xp.mean((xp.reshape(prediction, (-1,)) - xp.reshape(target, (-1,))) ** 2)

    return loss


@planted("LSY102", "numpy", task="regression")
def refusal_without_a_reason(xp):
    def loss(prediction, target):
        if prediction.shape != target.shape:
            raise ValueError("bad input")
        return xp.mean((prediction - target) ** 2)

    return loss
