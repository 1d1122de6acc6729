"""Losses that nothing is wrong with, many of them nearly what a rule looks for."""

import dataclasses

from lossary.define.domains.classes import Logits
from lossary.define.domains.numbers import Score
from tests import planted


def _fitting(prediction, target):
    if tuple(prediction.shape) != tuple(target.shape):
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} must have one shape")


# ── shapes, batches, reduction ───────────────────────────────────────────────────────────────────────────────────────


@planted.right("numpy", "torch", "jax", task="regression")
def squared_error(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.mean(xp.square(prediction - target))

    return loss


@planted.right("keras", task="regression")
def squared_error_of_rows(xp):
    def loss(y_true, y_pred):
        return xp.mean(xp.square(y_true - y_pred), axis=-1)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def sum_and_not_a_mean(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.sum(xp.square(prediction - target))

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def mean_over_rows_of_sums(xp):
    def loss(prediction, target, reduction="mean"):
        _fitting(prediction, target)
        losses = xp.square(prediction - target)
        if reduction == "none":
            return losses
        return xp.sum(losses) / (len(losses) if reduction == "mean" else 1)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def correlation_of_the_batch(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        p, y = prediction - xp.mean(prediction), target - xp.mean(target)
        return 1.0 - xp.sum(p * y) / xp.sqrt(xp.sum(xp.square(p)) * xp.sum(xp.square(y)) + 1e-12)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def pairs_of_rows(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        p = prediction[:, None] - prediction[None, :]
        y = target[:, None] - target[None, :]
        return xp.sum(xp.square(p - y)) / (len(prediction) * (len(prediction) - 1))

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def variance_of_the_error(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        error = prediction - target
        spread = xp.sum(xp.square(error - xp.mean(error))) / max(len(error) - 1, 1)
        return xp.mean(xp.square(error)) + 0.1 * spread

    return loss


@planted.right("keras", task="binary", logits=False)
def dice_of_the_batch(xp):
    def loss(y_true, y_pred):
        both = xp.sum(y_true * y_pred)
        return 1.0 - (2.0 * both + 1.0) / (xp.sum(y_true) + xp.sum(y_pred) + 1.0)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def steps_of_series(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        error = prediction - target
        steps = error[..., 1:] - error[..., :-1]
        return xp.mean(xp.square(error)) + xp.mean(xp.square(steps))

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def weighted_over_the_rows(xp):
    def loss(prediction, target, weight=None):
        _fitting(prediction, target)
        losses = xp.square(prediction - target)
        return xp.mean(losses if weight is None else xp.where(weight == 0, 0.0 * weight, weight * losses))

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def weighted_over_the_weights(xp):
    def loss(prediction, target, weight=None):
        _fitting(prediction, target)
        losses = xp.square(prediction - target)
        if weight is None:
            return xp.mean(losses)
        total = xp.sum(xp.where(weight == 0, 0.0 * weight, weight * losses))
        count = xp.sum(weight)
        return total / xp.where(count == 0, 1.0 + count, count)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def mean_of_those_in_the_mask(xp):
    def loss(prediction, target, mask=None):
        _fitting(prediction, target)
        losses = xp.square(prediction - target)
        if mask is None:
            return xp.mean(losses)
        ones = xp.ones_like(losses)
        count = xp.sum(xp.where(mask, ones, 0.0 * ones))
        return xp.sum(xp.where(mask, losses, 0.0 * ones)) / xp.where(count == 0, 1.0 + count, count)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def product_with_a_mask(xp):
    """NaN behind the mask comes through; finite padding does not, and that is a warning."""

    def loss(prediction, target, mask=None):
        _fitting(prediction, target)
        losses = xp.square(prediction - target)
        if mask is None:
            return xp.mean(losses)
        count = xp.sum(mask * xp.ones_like(losses))
        return xp.sum(losses * mask) / xp.where(count == 0, 1.0 + count, count)

    return loss


@planted.right("torch", task="sparse", logits=True)
def class_weights(xp):
    def loss(logits, labels, reduction="mean"):
        return xp.nn.functional.cross_entropy(logits, labels, xp.tensor([1.0, 2.0, 0.5]), reduction=reduction)

    return loss


@planted.right("torch", task="sparse", logits=True)
def sum_beside_the_mean(xp):
    def loss(logits, labels, ignore_index=-100, reduction="mean"):
        if reduction not in ("mean", "sum"):
            raise ValueError(f"reduction must be 'mean' or 'sum', not {reduction!r}")
        total = xp.nn.functional.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum")
        return total if reduction == "sum" else total / (labels != ignore_index).sum().clamp(min=1)

    return loss


@planted.right("numpy", "torch", task="regression")
def flattened_after_a_look(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.mean(xp.abs(prediction.reshape(-1) - target.reshape(-1)))

    return loss


# ── infinities, NaN, edges; precision and dtypes ─────────────────────────────────────────────────────────────────────


@planted.right("numpy", task="binary", logits=True)
def stable_binary_cross_entropy(xp):
    def loss(logits, target):
        _fitting(logits, target)
        return xp.mean(xp.maximum(logits, 0.0) - logits * target + xp.log1p(xp.exp(-xp.abs(logits))))

    return loss


@planted.right("keras", task="binary", logits=True)
def softplus_less_the_logit(xp):
    def loss(target, logits):
        return xp.mean(xp.softplus(logits) - target * logits, axis=-1)

    return loss


@planted.right("torch", "jax", task="binary", logits=True)
def log_of_two_powers(xp):
    def loss(logits, target):
        _fitting(logits, target)
        return xp.mean(xp.logaddexp(logits, 0.0 * logits) - target * logits)

    return loss


@planted.right("torch", task="sparse", logits=True)
def log_softmax_at_the_label(xp):
    def loss(logits, labels):
        return -xp.log_softmax(logits, dim=-1).gather(-1, labels[:, None]).mean()

    return loss


@planted.right("keras", task="sparse", logits=True)
def log_sum_of_powers_without_the_label(xp):
    def loss(labels, logits):
        chosen = xp.take_along_axis(logits, xp.cast(labels, "int32")[:, None], axis=-1)[:, 0]
        return xp.logsumexp(logits, axis=-1) - chosen

    return loss


@planted.right("torch", "jax", task="regression")
def smooth_absolute_error(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.mean(xp.sqrt(xp.square(prediction - target) + 1e-2))

    return loss


@planted.right("torch", "jax", task="regression")
def huber_in_two_branches(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        size = xp.abs(prediction - target)
        return xp.mean(xp.where(size <= 1.0, 0.5 * xp.square(size), size - 0.5))

    return loss


@planted.right("torch", "jax", task="regression")
def pinball_by_the_larger(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        error = target - prediction
        return xp.mean(xp.maximum(0.9 * error, -0.1 * error))

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def cauchy(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.mean(xp.log1p(0.5 * xp.square(prediction - target)))

    return loss


@planted.right("torch", task="binary", logits=True)
def focal_in_log_space(xp):
    def loss(logits, target, gamma=2.0):
        _fitting(logits, target)
        towards = (2.0 * target - 1.0) * logits
        against = xp.nn.functional.logsigmoid(-towards)
        return -(xp.exp(gamma * against) * xp.nn.functional.logsigmoid(towards)).mean()

    return loss


@planted.right("torch", task="binary", logits=True)
def brier_of_logits(xp):
    """Bounded: where it is most wrong, its gradient vanishes by design."""

    def loss(logits, target):
        _fitting(logits, target)
        return xp.square(xp.sigmoid(logits) - target).mean()

    return loss


@planted.right("torch", task="distribution", logits=False)
def divergence_with_xlogy(xp):
    def loss(probabilities, target):
        _fitting(probabilities, target)
        terms = xp.special.xlogy(target, target) - xp.special.xlogy(
            target, probabilities.clamp(min=xp.finfo(probabilities.dtype).tiny)
        )
        return terms.sum(dim=-1).mean()

    return loss


@planted.right("numpy", "torch", "jax", task="distribution", prediction=Logits(), target=Logits())
def distillation_from_the_logits_of_a_teacher(xp):
    def logarithms(z):
        z = z - xp.amax(z, -1)[..., None]
        return z - xp.log(xp.sum(xp.exp(z), -1))[..., None]

    def loss(prediction, target):
        _fitting(prediction, target)
        target = target + 0 * prediction  # integers as floats
        return xp.sum(xp.exp(logarithms(target)) * (logarithms(target) - logarithms(prediction)), -1)

    return loss


@planted.right("numpy", "torch", "jax", task="binary", prediction=Score(), target=Score())
def distillation_from_the_score_of_a_teacher(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        share = 1 / (1 + xp.exp(-(target + 0 * prediction)))
        return share * xp.logaddexp(-prediction, 0 * prediction) + (1 - share) * xp.logaddexp(
            prediction, 0 * prediction
        )

    return loss


# ── engineering ──────────────────────────────────────────────────────────────────────────────────────────────────────


@planted.right("torch", task="regression")
def works_in_place_on_its_own_array(torch):
    def loss(input, target):
        _fitting(input, target)
        losses = torch.square(input - target)
        return losses.mul_(0.5).mean()

    return loss


@planted.right("numpy", task="regression")
def works_in_place_on_a_copy(np):
    def loss(prediction, target):
        _fitting(prediction, target)
        error = prediction.copy()
        error -= target
        error *= error
        return error.mean()

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def counts_its_calls(xp):
    calls = []

    def loss(prediction, target):
        _fitting(prediction, target)
        calls.append(len(calls))
        return xp.mean(xp.square(prediction - target))

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def noise_that_is_the_same_each_time(xp):
    def loss(prediction, target):
        from numpy.random import default_rng

        _fitting(prediction, target)
        scale = float(default_rng(7).uniform(1.0, 2.0))
        return xp.mean(scale * xp.square(prediction - target))

    return loss


@planted.right("torch", task="regression")
def module_that_cannot_be_pickled(torch):
    class Transformed(torch.nn.Module):
        def __init__(self, scale=1.0):
            super().__init__()
            if not scale > 0:
                raise ValueError(f"scale must be above 0, not {scale!r}")
            self.scale = scale
            self.transform = lambda x: x / scale

        def forward(self, input, target):
            _fitting(input, target)
            return torch.mean(torch.square(self.transform(input) - self.transform(target)))

    return Transformed()


@planted.right("torch", task="sparse")
def class_weights_in_a_buffer(torch):
    class Weighted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("weight", torch.tensor([1.0, 2.0, 0.5]))

        def forward(self, logits, labels):
            return torch.nn.functional.cross_entropy(logits, labels, weight=self.weight)

    return Weighted()


@planted.right("torch", task="regression")
def constant_that_is_moved_in_the_call(torch):
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = torch.tensor([2.0])

        def forward(self, input, target):
            _fitting(input, target)
            return (self.scale.to(input) * torch.square(input - target)).mean()

    return Scaled()


@planted.right("torch", task="regression")
def total_that_begins_on_the_cpu(torch):
    def loss(input, target):
        _fitting(input, target)
        total = torch.tensor(0.0, dtype=input.dtype)  # of no axes: any device takes it
        return total + torch.mean(torch.square(input - target))

    return loss


@planted.right("torch", task="regression")
def function_with_a_rule_for_maps(torch):
    class Square(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(input, target):
            return torch.square(input - target)

        @staticmethod
        def setup_context(context, inputs, output):
            context.save_for_backward(*inputs)

        @staticmethod
        def backward(context, upstream):
            input, target = context.saved_tensors
            slope = 2.0 * upstream * (input - target)
            return slope, -slope

    def loss(input, target):
        _fitting(input, target)
        return Square.apply(input, target).mean()

    return loss


@planted.right("jax", task="regression")
def jit_outside_the_call(jnp):
    import jax

    @jax.jit
    def loss(predictions, targets):
        _fitting(predictions, targets)
        return jax.lax.cond(predictions.size > 0, lambda e: jnp.mean(jnp.square(e)), jnp.sum, predictions - targets)

    return loss


@planted.right("keras", task="regression")
def traced_once(ops):
    import tensorflow as tf

    @tf.function
    def loss(y_true, y_pred):
        _fitting(y_pred, y_true)
        return ops.mean(ops.square(y_true - y_pred), axis=-1)

    return loss


@planted.right("keras", task="regression")
def config_with_all_its_settings(ops):
    import keras

    class Scaled(keras.losses.Loss):
        def __init__(self, scale=1.0, reduction="sum_over_batch_size", name="scaled", dtype=None):
            super().__init__(name=name, reduction=reduction, dtype=dtype)
            if not scale > 0:
                raise ValueError(f"scale must be above 0, not {scale!r}")
            self.scale = scale

        def call(self, y_true, y_pred):
            _fitting(y_pred, y_true)
            return ops.mean(self.scale * ops.square(y_true - y_pred), axis=-1)

        def get_config(self):
            return {**super().get_config(), "scale": self.scale}

    return Scaled()


@planted.right("jax", task="regression")
def pytree_with_its_setting(jnp):
    import jax

    @jax.tree_util.register_dataclass
    @dataclasses.dataclass
    class Scaled:
        scale: float = 1.0

        def __post_init__(self):
            if isinstance(self.scale, float) and not self.scale > 0:
                raise ValueError(f"scale must be above 0, not {self.scale!r}")

        def __call__(self, predictions, targets):
            _fitting(predictions, targets)
            return self.scale * jnp.square(predictions - targets)

    return Scaled()


@planted.right("torch", "jax", task="regression")
def custom_backward(xp):
    from tests.planted.grad_matches_numeric import custom

    square = custom(xp, lambda p, y: (p - y) ** 2, lambda upstream, p, y: 2 * upstream * (p - y))

    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.mean(square(prediction, target))

    return loss


@planted.right("torch", "jax", task="regression")
def flat_at_kinks_of_both_kinds(xp):
    """Of each kink alone 0 is between the slopes of its sides; of all of them together the sum is not."""
    return _at_kinks_of_both_kinds(xp, 0.0)


@planted.right("torch", "jax", task="regression")
def steep_at_kinks_of_both_kinds(xp):
    return _at_kinks_of_both_kinds(xp, 1.0)


def _at_kinks_of_both_kinds(xp, pull):
    from tests.planted.grad_matches_numeric import bends_both_ways

    capped = bends_both_ways(xp, pull)

    def loss(prediction, target):
        _fitting(prediction, target)
        return capped(prediction, target)

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def error_of_both_sizes(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        return xp.mean(xp.abs(prediction - target) / (1 + xp.abs(target)))  # straight in the one, curved in the other

    return loss


@planted.right("numpy", "torch", "jax", task="regression")
def dearer_on_one_side(xp):
    def loss(prediction, target):
        _fitting(prediction, target)
        r = prediction - target
        return xp.mean(xp.where(r > 0, 3 * r, -r))

    return loss
