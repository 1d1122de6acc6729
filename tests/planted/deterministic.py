import numpy as np

from tests.planted import planted


@planted("LSY602", "numpy", "torch", "keras", "jax")
def remembers_the_last_batch(xp):
    seen = []

    def loss(prediction, target):
        error = xp.mean((prediction - target) ** 2)
        seen.append(float(np.mean(np.asarray(target))))
        return error / (1.0 + abs(seen[-2])) if len(seen) > 1 else error

    return loss


@planted("LSY602", "numpy", "torch", "keras", "jax")
def smooths_labels_at_random(xp):
    def loss(prediction, target):
        noise = np.random.normal(scale=0.01)
        return xp.mean((prediction - target - noise) ** 2)

    return loss


@planted("LSY602", "torch")
def running_scale_in_a_buffer(torch):
    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("scale", torch.ones(()))

        def forward(self, input, target):
            error = ((input - target) ** 2).mean()
            self.scale = 0.9 * self.scale + 0.1 * error.detach()
            return error / self.scale

    return Scaled()


@planted("LSY602", "keras")
def drops_entries(_ops):
    import keras

    def loss(y_true, y_pred):
        return keras.ops.mean(keras.random.dropout((y_pred - y_true) ** 2, 0.5), axis=-1)

    return loss
