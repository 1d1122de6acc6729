from lossary.define.claims.classes import Proper
from lossary.define.claims.estimates import Estimates
from tests.planted import planted


@planted(
    "LSY508",
    "numpy",
    "torch",
    "keras",
    "jax",
    task="binary",
    logits=False,
    claimed_properties=(Proper(),),
    definition=None,
)
def focal_weights(xp):
    def loss(prediction, target):
        p = xp.clip(prediction, 1e-12, 1 - 1e-12)
        right = target * p + (1 - target) * (1 - p)
        return -xp.mean((1 - right) ** 2 * xp.log(right))

    return loss


@planted(
    "LSY508",
    "numpy",
    "torch",
    "keras",
    "jax",
    task="multiclass",
    logits=False,
    claimed_properties=(Proper(),),
    definition=None,
)
def label_smoothing_left_on(xp):
    def loss(prediction, target):
        return -xp.mean(xp.sum((0.9 * target + 0.1 / 3) * xp.log(prediction), -1))

    return loss


@planted(
    "LSY508",
    "numpy",
    "torch",
    "keras",
    "jax",
    task="regression",
    claimed_properties=(Estimates("mean"),),
    definition=None,
)
def median_called_mean(xp):
    def loss(prediction, target):
        return xp.mean(xp.abs(prediction - target))

    return loss
