from tests.planted import planted


@planted("LSY114", "numpy", task="regression")
def in_the_order_of_memory(xp):
    def loss(prediction, target):
        return xp.mean((prediction.ravel("K") - target.ravel("K")) ** 2)

    return loss


@planted("LSY114", "numpy", task="regression")
def from_the_first_address(xp):
    def loss(prediction, target):
        start = xp.lib.stride_tricks.as_strided(prediction, prediction.shape, xp.empty_like(target, order="C").strides)
        return xp.mean((start - target) ** 2)

    return loss


@planted("LSY114", "torch", task="regression")
def strides_of_the_target(xp):
    def loss(prediction, target):
        return xp.mean((xp.as_strided(prediction, target.shape, target.stride()) - target) ** 2)

    return loss


@planted("LSY114", "torch", task="regression")
def view_of_what_is_strided(xp):
    def loss(prediction, target):
        return xp.mean((prediction.view(-1) - target.view(-1)) ** 2)

    return loss
