from tests.planted import planted


@planted("LSY103", "keras", task="regression")
def mean_of_everything(xp):
    def loss(y_true, y_pred):
        return xp.mean(xp.square(y_true - y_pred))

    return loss


@planted("LSY103", "keras", task="regression")
def subclass_that_averages(xp):
    import keras

    class Absolute(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return xp.mean(xp.abs(y_true - y_pred))

    return Absolute()


@planted("LSY103", "numpy", "torch", "jax", task="regression")
def none_is_a_mean(xp):
    def loss(prediction, target, reduction="mean"):
        losses = (prediction - target) ** 2
        return xp.sum(losses) if reduction == "sum" else xp.mean(losses)

    return loss


@planted("LSY103", "numpy", "torch", "jax", task="sparse", logits=True, reduction="none")
def each_row_against_each_label(xp):
    def loss(logits, labels):
        return xp.log(xp.exp(logits).sum(-1))[:, None] - logits[:, labels]

    return loss
