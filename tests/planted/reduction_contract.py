from tests.planted import planted


@planted("LSY104", "numpy", "torch", "keras", "jax", task="regression")
def batch_size_written_down(xp):
    def loss(prediction, target, reduction="mean"):
        losses = (prediction - target) ** 2
        return losses if reduction == "none" else xp.sum(losses) / (32 if reduction == "mean" else 1)

    return loss


@planted("LSY104", "numpy", "torch", "keras", "jax", task="regression")
def mean_over_the_last_axis_only(xp):
    def loss(prediction, target, reduction="mean"):
        losses = xp.abs(prediction - target)
        return losses if reduction == "none" else xp.sum(losses) / (losses.shape[-1] if reduction == "mean" else 1)

    return loss


@planted("LSY104", "numpy", "torch", "keras", "jax", task="regression")
def half_in_the_mean_only(xp):
    def loss(prediction, target, reduction="mean"):
        losses = (prediction - target) ** 2
        if reduction == "none":
            return losses
        return xp.sum(losses) if reduction == "sum" else 0.5 * xp.mean(losses)

    return loss


@planted("LSY104", "numpy", "torch", "keras", "jax", task="regression")
def sum_of_row_means(xp):
    def loss(prediction, target, reduction="mean"):
        losses = (prediction - target) ** 2
        if reduction == "none":
            return losses
        return xp.mean(losses) if reduction == "mean" else xp.sum(xp.mean(losses, -1))

    return loss
