from tests.planted import planted


@planted("LSY111", "numpy", "torch", "keras", "jax", task="regression")
def padding_counts_in_the_mean(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        if mask is None:
            return xp.mean(losses)
        return xp.mean(xp.where(xp.reshape(mask, losses.shape), losses, xp.zeros_like(losses)))

    return loss


@planted("LSY111", "numpy", "torch", "keras", "jax", task="regression")
def prediction_masked_but_not_the_target(xp):
    def loss(prediction, target, mask=None):
        if mask is None:
            return xp.sum((prediction - target) ** 2)
        return xp.sum((xp.where(xp.reshape(mask, prediction.shape), prediction, 0.0 * prediction) - target) ** 2)

    return loss


@planted("LSY111", "torch", "jax", task="regression")
def maximum_sees_the_padding(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        kept = losses if mask is None else xp.where(mask, losses, xp.zeros_like(losses))
        return xp.sum(kept) / xp.max(losses)

    return loss


@planted("LSY111", "numpy", "torch", "keras", "jax", task="regression")
def product_with_the_mask(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        if mask is None:
            return xp.sum(losses)
        numbers = xp.where(xp.reshape(mask, losses.shape), xp.ones_like(losses), xp.zeros_like(losses))
        return xp.sum(losses * numbers)

    return loss


@planted("LSY111", "torch", task="sparse", logits=True)
def ignored_labels_count(xp):
    def loss(logits, labels, ignore_index=-100):
        return xp.nn.functional.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum") / len(labels)

    return loss


@planted("LSY111", "torch", "keras", "jax", task="regression")
def chosen_after_the_square(xp):
    def loss(prediction, target, mask=None):
        losses = (prediction - target) ** 2
        if mask is None:
            return xp.sum(losses)
        return xp.sum(xp.where(xp.reshape(mask, losses.shape), losses, xp.zeros_like(losses)))

    return loss
