from lossary.define.domains.classes import Labels
from lossary.define.domains.numbers import Score
from tests.planted import planted


@planted("LSY504", "numpy", "torch", "keras", "jax", task="binary", target=Labels((-1.0, 1.0)))
def positive_is_the_largest_label(xp):
    def loss(prediction, target):
        sign = xp.where(target == xp.max(target), 1.0, -1.0)
        margin = 1 - sign * prediction
        return xp.mean(xp.where(margin > 0, margin, 0 * margin))

    return loss


@planted(
    "LSY504",
    "numpy",
    "torch",
    "keras",
    "jax",
    task="binary",
    reduction="none",
    prediction=Score(logit=False),
    target=Labels((0.0, 1.0)),
)
def converts_if_a_zero_is_seen(xp):
    def loss(prediction, target):
        sign = xp.where(xp.min(target) == 0, 2 * target - 1, target)
        sign = xp.where(xp.max(target) == 0, 0 * target, sign)
        margin = 1 - sign * prediction
        return xp.where(margin > 0, margin, 0 * margin)

    return loss


@planted("LSY504", "numpy", task="binary", target=Labels((-1.0, 1.0)))
def refuses_one_class(xp):
    def loss(prediction, target):
        if len(xp.unique(target)) < 2:
            raise ValueError("there must be two classes")
        return xp.mean(xp.log1p(xp.exp(-target * prediction)))

    return loss
