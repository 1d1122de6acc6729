from tests.planted import planted


@planted("LSY207", "torch", "keras", "jax", task="binary", logits=True)
def focal_with_a_root(xp):
    def loss(logits, target):
        towards = (2.0 * target - 1.0) * logits
        entropy = xp.log1p(xp.exp(-xp.abs(towards))) + xp.maximum(-towards, 0.0 * towards)
        return xp.mean((1.0 - xp.exp(-entropy)) ** 0.5 * entropy)

    return loss


@planted("LSY207", "torch", "keras", "jax", task="binary", logits=True)
def focal_at_other_powers(xp):
    def loss(logits, target, gamma=2.0):
        towards = (2.0 * target - 1.0) * logits
        entropy = xp.log1p(xp.exp(-xp.abs(towards))) + xp.maximum(-towards, 0.0 * towards)
        return xp.mean((1.0 - xp.exp(-entropy)) ** gamma * entropy)

    return loss
