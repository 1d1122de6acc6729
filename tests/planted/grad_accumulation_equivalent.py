from tests.planted import planted


@planted("LSY109", "torch", "keras", "jax", task="regression")
def mean_of_what_counts(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        if mask is None:
            return xp.mean(losses)
        mask = xp.reshape(mask, losses.shape)
        count = xp.sum(xp.where(mask, xp.ones_like(losses), xp.zeros_like(losses)))
        total = xp.sum(xp.where(mask, losses, xp.zeros_like(losses)))
        return total / xp.where(count > 0, count, xp.ones_like(count))

    return loss


@planted("LSY109", "torch", task="sparse", logits=True)
def mean_of_the_tokens(xp):
    def loss(logits, labels, ignore_index=-100):
        total = xp.nn.functional.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum")
        return total / (labels != ignore_index).sum().clamp(min=1)

    return loss


@planted("LSY109", "torch", "keras", "jax", task="regression")
def mean_by_weight(xp):
    def loss(prediction, target, weight=None):
        losses = (prediction - target) ** 2
        if weight is None:
            return xp.mean(losses)
        return xp.sum(xp.reshape(weight, losses.shape) * losses) / xp.sum(weight)

    return loss
