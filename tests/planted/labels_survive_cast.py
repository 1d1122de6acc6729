from tests.planted import planted


@planted("LSY306", "torch", task="sparse", logits=True)
def labels_of_the_dtype_of_logits(xp):
    def loss(logits, labels):
        return xp.nn.functional.cross_entropy(logits, labels.to(logits.dtype).long())

    return loss


@planted("LSY306", "numpy", "jax", task="sparse", logits=True)
def labels_in_one_array_with_logits(xp):
    def loss(logits, labels):
        labels = labels.astype(logits.dtype).astype("int32")
        chosen = xp.take_along_axis(logits, labels[:, None], -1)[:, 0]
        shift = logits.max()
        return xp.mean(xp.log(xp.sum(xp.exp(logits - shift), -1)) + shift - chosen)

    return loss


@planted("LSY306", "keras", task="sparse", logits=True)
def labels_cast_to_half(xp):
    def loss(logits, labels):
        labels = xp.cast(xp.cast(labels, "float16"), "int32")
        chosen = xp.take_along_axis(logits, labels[:, None], axis=-1)[:, 0]
        return xp.mean(xp.logsumexp(logits, axis=-1) - chosen)

    return loss
