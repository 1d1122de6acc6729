from tests.planted import planted


@planted("LSY205", "torch", task="sparse", logits=True)
def one_hot_times_logarithms(xp):
    def loss(logits, labels):
        one_hot = xp.nn.functional.one_hot(labels, logits.shape[-1])
        return -(one_hot * xp.log_softmax(logits, dim=-1)).sum(dim=-1).mean()

    return loss


@planted("LSY205", "numpy", "torch", "keras", "jax", task="multiclass", logits=True)
def target_times_logarithms(xp):
    def loss(logits, target):
        shifted = logits - xp.max(logits)
        log_p = shifted - xp.log(xp.sum(xp.exp(shifted), -1))[:, None]
        return -xp.mean(xp.sum(target * log_p, -1))

    return loss


@planted("LSY205", "numpy", "torch", "keras", "jax", task="sparse", logits=True)
def labels_as_rows(xp):
    def loss(logits, labels):
        classes = xp.stack([labels == 0, labels == 1, labels == 2], -1)
        shifted = logits - xp.max(logits)
        log_p = shifted - xp.log(xp.sum(xp.exp(shifted), -1))[:, None]
        return -xp.mean(xp.sum(xp.where(classes, 1.0, 0.0) * log_p, -1))

    return loss
