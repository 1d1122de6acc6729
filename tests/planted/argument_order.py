from tests.planted import planted


@planted("LSY501", "numpy", "torch", "keras", "jax", task="binary", logits=False, order="prediction-target")
def entropy_of_the_prediction_under_the_target(xp):
    def loss(prediction, target):
        p, y = target, prediction
        return -xp.mean(y * xp.log(p) + (1 - y) * xp.log(1 - p))

    return loss


@planted("LSY501", "numpy", "torch", "keras", "jax", task="distribution", logits=False, order="prediction-target")
def cross_entropy_with_its_arguments_swapped(xp):
    def loss(prediction, target):
        return -xp.mean(xp.sum(prediction * xp.log(target), -1))

    return loss


@planted("LSY501", "numpy", "torch", "keras", "jax", task="regression", order="prediction-target")
def pinball_of_the_other_tail(xp):
    def loss(prediction, target, quantile=0.9):
        r = prediction - target
        return xp.mean(xp.where(r > 0, quantile * r, (quantile - 1) * r))

    return loss


@planted("LSY501", "keras")
def keras_loss_that_names_them_the_other_way(xp):
    import keras

    class Relative(keras.losses.Loss):
        def call(self, y_pred, y_true):
            return xp.mean(xp.abs((y_true - y_pred) / y_true), axis=-1)

    return Relative()
