from tests.planted import planted


@planted("LSY302", "numpy", task="regression")
def through_float32(xp):
    def loss(prediction, target):
        error = (prediction - target).astype(xp.float32)
        return xp.mean(xp.square(error.astype(prediction.dtype)))

    return loss


@planted("LSY302", "torch", task="regression")
def by_float_and_back(xp):
    def loss(prediction, target):
        error = (prediction - target).float()
        return xp.mean(xp.square(error.to(prediction.dtype)))

    return loss


@planted("LSY302", "torch", task="binary", logits=True)
def labels_by_float(xp):
    def loss(logits, target):
        target = target.float()
        losses = xp.clamp(logits, min=0.0) - target * logits + xp.log1p(xp.exp(-xp.abs(logits)))
        return losses.mean()

    return loss


@planted("LSY302", "keras", "jax", task="regression")
def cast_to_the_default(xp):
    def loss(prediction, target):
        error = (xp.cast if hasattr(xp, "cast") else xp.astype)(prediction - target, "float32")
        return xp.mean(xp.square((xp.cast if hasattr(xp, "cast") else xp.astype)(error, prediction.dtype)))

    return loss
