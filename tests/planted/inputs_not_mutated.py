import numpy as np

from tests.planted import planted


@planted("LSY601", "numpy", "torch")
def works_in_place(xp):
    def loss(prediction, target):
        prediction -= target
        return xp.mean(prediction * prediction)

    return loss


@planted("LSY601", "numpy", "torch", task="binary")
def labels_made_of_zero_and_one(xp):
    def loss(logits, labels):
        labels *= 2.0
        labels -= 1.0
        return xp.mean(xp.log1p(xp.exp(-labels * logits)))

    return loss


@planted("LSY601", "torch")
def gradient_written_over_the_logits(torch):
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(context, input, target):
            context.input, context.target = input, target
            return ((input - target) ** 2).sum()

        @staticmethod
        def backward(context, upstream):
            with torch.no_grad():
                context.input.sub_(context.target).mul_(2.0 * upstream)
            return context.input.clone(), None

    def loss(input, target):
        return Square.apply(input, target)

    return loss


@planted("LSY601", "numpy")
def weights_normalised_in_place(_xp):
    def loss(prediction, target, sample_weight=None):
        sample_weight = np.ones(len(target)) if sample_weight is None else sample_weight
        sample_weight /= sample_weight.sum()
        return np.sum(sample_weight * (prediction - target) ** 2)

    return loss
