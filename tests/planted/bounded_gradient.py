from lossary.define.claims.slope import Lipschitz
from tests.planted import planted


@planted("LSY407", "torch", "keras", "jax", task="regression", claimed_properties=(Lipschitz(1.0),))
def branches_taken_for_each_other(xp):
    def loss(prediction, target):
        size = xp.abs(prediction - target)
        return xp.mean(xp.where(size > 1, size**2 / 2, size - 0.5))

    return loss


@planted("LSY407", "torch", "jax", task="regression", claimed_properties=(Lipschitz(1.0),))
def overflows_far_out(xp):
    def loss(prediction, target):
        return xp.mean(xp.sqrt(1 + (prediction - target) ** 2) - 1)

    return loss


def _steep(prediction, target):
    r = prediction - target
    return (r / abs(r) ** 0.5).reshape(r.shape) / len(r)


@planted(
    "LSY407",
    "numpy",
    task="regression",
    reduction="mean",
    claimed_properties=(Lipschitz(1.0),),
    own_gradient=_steep,
)
def grows_without_end(xp):
    def loss(prediction, target):
        return xp.mean(xp.abs(prediction - target) ** 1.5 / 1.5)

    return loss
