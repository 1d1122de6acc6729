from tests.planted import planted


@planted("LSY603", "keras")
def config_without_its_setting(ops):
    import keras

    class Scaled(keras.losses.Loss):
        def __init__(self, scale=1.0, reduction="sum_over_batch_size", name="scaled"):
            super().__init__(name=name, reduction=reduction)
            self.scale = scale

        def call(self, y_true, y_pred):
            return ops.mean(self.scale * (y_pred - y_true) ** 2, axis=-1)

    return Scaled()


@planted("LSY603", "keras")
def config_without_its_reduction(ops):
    import keras

    class Absolute(keras.losses.Loss):
        def __init__(self, reduction="sum_over_batch_size", name="absolute"):
            super().__init__(name=name, reduction=reduction)

        def call(self, y_true, y_pred):
            return ops.mean(ops.abs(y_pred - y_true), axis=-1)

        def get_config(self):
            return {"name": self.name}

    return Absolute()


@planted("LSY603", "keras")
def config_that_the_constructor_does_not_take(ops):
    import keras

    class Tilted(keras.losses.Loss):
        def __init__(self, level=0.5, reduction="sum_over_batch_size", name="tilted"):
            super().__init__(name=name, reduction=reduction)
            self.level = level

        def call(self, y_true, y_pred):
            error = y_true - y_pred
            return ops.mean(ops.maximum(self.level * error, (self.level - 1) * error), axis=-1)

        def get_config(self):
            return {**super().get_config(), "quantile": self.level}

    return Tilted()


@planted("LSY603", "numpy", "torch", "jax")
def copy_with_the_defaults(xp):
    class Scaled:
        def __init__(self, scale=1.0):
            self.scale = scale

        def __call__(self, prediction, target):
            return self.scale * xp.mean((prediction - target) ** 2)

        def __reduce__(self):
            return Scaled, ()

    return Scaled()


@planted("LSY603", "torch")
def buffer_made_in_the_first_call(torch):
    class Scaled(torch.nn.Module):
        def __init__(self, scale=1.0):
            super().__init__()
            self.scale = scale

        def forward(self, input, target):
            if not hasattr(self, "factor"):
                self.register_buffer("factor", torch.tensor(self.scale))
            return self.factor * ((input - target) ** 2).mean()

    return Scaled()


@planted("LSY603", "jax")
def pytree_without_its_setting(jnp):
    import jax

    @jax.tree_util.register_pytree_node_class
    class Scaled:
        def __init__(self, scale=1.0):
            self.scale = scale

        def __call__(self, predictions, targets):
            return self.scale * (predictions - targets) ** 2

        def tree_flatten(self):
            return (), None

        @classmethod
        def tree_unflatten(cls, _auxiliary, _children):
            return cls()

    return Scaled()
