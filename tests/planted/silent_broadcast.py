from tests.planted import planted


@planted("LSY101", "numpy", "torch", "keras", "jax")
def no_look_at_shapes(xp):
    def loss(prediction, target):
        return xp.mean((prediction - target) ** 2)

    return loss


@planted("LSY101", "numpy", "torch", "jax", task="regression")
def columns_but_no_tables(xp):
    def loss(prediction, target):
        if prediction.ndim == target.ndim and prediction.shape != target.shape:
            raise ValueError(f"prediction {prediction.shape} and target {target.shape} differ")
        return xp.mean(xp.abs(prediction - target))

    return loss


@planted("LSY101", "torch", task="regression")
def a_warning_is_enough(xp):
    def loss(input, target):
        return xp.nn.functional.mse_loss(input, target)

    return loss


@planted("LSY101", "keras", task="regression")
def subclass_that_subtracts(xp):
    import keras

    class Squared(keras.losses.Loss):
        def call(self, y_true, y_pred):
            return xp.mean(xp.square(y_true - y_pred), axis=-1)

    return Squared()


@planted("LSY101", "numpy", "jax", task="sparse", logits=True)
def column_of_labels(xp):
    def loss(logits, labels):
        shifted = logits - logits.max(axis=-1, keepdims=True)
        log_shares = shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))
        return -xp.mean(log_shares[xp.arange(len(logits)), labels])

    return loss


@planted("LSY101", "numpy", "torch", "keras", "jax", task="distribution", logits=False)
def one_row_for_all(xp):
    def loss(prediction, target):
        return xp.mean(xp.sum(target * (xp.log(target) - xp.log(prediction)), axis=-1))

    return loss
