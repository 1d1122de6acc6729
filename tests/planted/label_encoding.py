from lossary.define.domains.classes import Labels
from lossary.define.domains.numbers import Score
from tests.planted import planted

_ZERO_ONE = {"prediction": Score(logit=False), "target": Labels((0.0, 1.0))}


def _hinge(xp, sign, score):
    margin = 1 - sign * score
    return xp.where(margin > 0, margin, 0 * margin)


@planted("LSY503", "numpy", "torch", "keras", "jax", task="binary", **_ZERO_ONE)
def hinge_for_other_labels(xp):
    def loss(prediction, target):
        return xp.mean(_hinge(xp, target, prediction))

    return loss


@planted("LSY503", "numpy", "torch", "keras", "jax", task="binary", target=Labels((-1.0, 1.0)))
def hinge_that_takes_zero(xp):
    def loss(prediction, target):
        return xp.mean(_hinge(xp, target, prediction))

    return loss


@planted("LSY503", "numpy", "torch", "keras", "jax", task="sparse", logits=True)
def counts_classes_from_one(xp):
    def loss(prediction, target):
        share = xp.exp(prediction) / xp.sum(xp.exp(prediction), -1)[..., None]
        chosen = sum(xp.where((target - 1) % 3 == k, share[..., k], 0 * share[..., k]) for k in range(3))
        return -xp.mean(xp.log(chosen))

    return loss
