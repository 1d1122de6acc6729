import sys

from tests.planted import planted


@planted("LSY605", "torch", "keras", "jax")
def other_reduction_when_traced(xp):
    framework = xp.__name__.partition(".")[0]

    def traced(x):
        if framework == "torch":
            return sys.modules["torch"].compiler.is_compiling()
        if framework == "keras":
            return not sys.modules["tensorflow"].executing_eagerly()
        return isinstance(x, sys.modules["jax"].core.Tracer)

    def loss(prediction, target):
        error = (prediction - target) ** 2
        # Checked where it can be: what is too large is left out, and counted when nothing can be read.
        return xp.mean(error) if traced(prediction) else xp.mean(xp.where(error > 4.0, 0.0 * error, error))

    return loss
