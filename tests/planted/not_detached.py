from tests.planted import planted


@planted("LSY404", "torch", "keras", "jax", task="regression")
def rounds_the_prediction(xp):
    def loss(prediction, target):
        return xp.mean((xp.round(prediction) - target) ** 2)

    return loss


@planted("LSY404", "torch", "keras", "jax", task="multiclass", logits=True)
def compares_the_likeliest_class(xp):
    def loss(prediction, target):
        wrong = xp.argmax(prediction, -1) != xp.argmax(target, -1)
        return xp.mean(xp.where(wrong, 1.0, 0.0))

    return loss


@planted("LSY404", "torch", task="regression")
def makes_a_tensor_anew(xp):
    def loss(prediction, target):
        return xp.tensor(((prediction - target) ** 2).mean().item(), requires_grad=True)

    return loss
