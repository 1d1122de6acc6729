from tests.planted import planted
from tests.planted.grad_matches_numeric import custom


def _stopped(xp):
    if xp.__name__ == "torch":
        return lambda x: x.detach()
    if xp.__name__ == "jax.numpy":
        import jax

        return jax.lax.stop_gradient
    return xp.stop_gradient


@planted("LSY405", "torch", "keras", "jax", task="regression")
def silently_stopped(xp):
    stop = _stopped(xp)

    def loss(prediction, target):
        return xp.mean((prediction - stop(target)) ** 2)

    return loss


@planted("LSY405", "torch", "keras", "jax", task="distribution", logits=False)
def derivative_of_a_symmetric_loss(xp):
    divergence = custom(
        xp, lambda p, y: y * (xp.log(y) - xp.log(p)), lambda upstream, p, y: upstream * -y / p
    )  # the target's is taken for the negative of the prediction's

    def loss(prediction, target):
        return xp.mean(xp.sum(divergence(prediction, target), -1))

    return loss
