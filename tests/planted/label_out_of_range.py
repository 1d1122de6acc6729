from tests.planted import planted


@planted("LSY210", "numpy", "torch", "jax", task="sparse", logits=True)
def counted_from_the_end(xp):
    def loss(logits, labels):
        chosen = logits[xp.arange(len(labels)), labels]
        shift = logits.max()
        return xp.mean(xp.log(xp.sum(xp.exp(logits - shift), -1)) + shift - chosen)

    return loss


@planted("LSY210", "numpy", "torch", "keras", "jax", task="sparse", logits=True)
def rows_of_zeros(xp):
    def loss(logits, labels):
        classes = xp.stack([labels == 0, labels == 1, labels == 2], -1)
        shift = xp.max(logits)
        chosen = xp.sum(xp.where(classes, logits, 0.0 * logits), -1)
        return xp.mean(xp.log(xp.sum(xp.exp(logits - shift), -1)) + shift - chosen)

    return loss


@planted("LSY210", "keras", task="sparse", logits=True)
def clamped_labels(xp):
    def loss(logits, labels):
        labels = xp.clip(labels, 0, 2)
        chosen = xp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
        return xp.mean(xp.logsumexp(logits, axis=-1) - chosen)

    return loss
