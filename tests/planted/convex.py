from lossary.define.claims.curve import Convex, StronglyConvex
from tests.planted import planted


@planted("LSY509", "numpy", "torch", "keras", "jax", task="regression", claimed_properties=(Convex(),), definition=None)
def flattens_far_out(xp):
    def loss(prediction, target):
        r = prediction - target
        return xp.mean(r**2 / (1 + r**2))

    return loss


@planted(
    "LSY509",
    "numpy",
    "torch",
    "keras",
    "jax",
    task="regression",
    claimed_properties=(StronglyConvex(0.1),),
    definition=None,
)
def log_cosh_called_strongly_convex(xp):
    def loss(prediction, target):
        size = xp.abs(prediction - target)
        return xp.mean(size + xp.log1p(xp.exp(-2 * size)) - 0.6931471805599453)

    return loss
