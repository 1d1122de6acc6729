from lossary.define.claims.curve import Symmetric
from tests.planted import planted


@planted(
    "LSY507", "numpy", "torch", "keras", "jax", task="regression", claimed_properties=(Symmetric(),), definition=None
)
def branch_of_negative_errors_forgotten(xp):
    def loss(prediction, target):
        e = prediction - target
        near = xp.where(xp.abs(e) <= 1, e**2 / 2, 0 * e)
        return xp.mean(near + xp.where(e > 1, e - 0.5, 0 * e))

    return loss
