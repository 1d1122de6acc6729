from tests.planted import planted


@planted("LSY112", "numpy", "torch", "jax", "keras", task="regression")
def mean_of_nothing(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        if mask is None:
            return xp.mean(losses)
        mask = xp.reshape(mask, losses.shape)
        ones = xp.where(mask, xp.ones_like(losses), xp.zeros_like(losses))
        return xp.sum(xp.where(mask, losses, xp.zeros_like(losses))) / xp.sum(ones)

    return loss


@planted("LSY112", "torch", "jax", "keras", task="regression")
def chosen_after_the_division(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        if mask is None:
            return xp.mean(losses)
        mask = xp.reshape(mask, losses.shape)
        counted = xp.where(mask, xp.ones_like(losses), xp.zeros_like(losses))
        count, total = xp.sum(counted), xp.sum(counted * losses)
        return xp.where(count > 0, total / count, xp.zeros_like(total))

    return loss


@planted("LSY112", "torch", task="sparse", logits=True)
def all_labels_ignored(xp):
    def loss(logits, labels, ignore_index=-100):
        return xp.nn.functional.cross_entropy(logits, labels, ignore_index=ignore_index)

    return loss


@planted("LSY112", "numpy", "torch", "keras", "jax", task="regression")
def weights_of_nothing(xp):
    def loss(prediction, target, weight=None):
        losses = (prediction - target) ** 2
        if weight is None:
            return xp.mean(losses)
        return xp.sum(xp.reshape(weight, losses.shape) * losses) / xp.sum(weight)

    return loss
