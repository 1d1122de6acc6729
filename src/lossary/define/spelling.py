"""How a loss is written in each framework: the code that errors, `lossary show` and `lossary compare` hand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lossary.define import registry
from lossary.define.definition import Definition

if TYPE_CHECKING:
    from lossary.define.loss import Loss
    from lossary.define.objective import Objective


def at_home(host: str, loss: Loss | Objective, **options: Any) -> str:
    """The code that makes it at home in a framework: "torch", "keras", "jax" or "sklearn"; with options of the host,
    those that are not None."""
    arguments = ", ".join(f"{name}={option!r}" for name, option in options.items() if option is not None)
    if not isinstance(loss, Definition):
        return f"({loss!r}).{host}({arguments})"
    if ":" in registry.key(type(loss)):  # a user's own: the hosts have named classes for lossary's
        return f"{loss!r}.{host}({arguments})"
    code = f"lossary.{host}.{loss!r}"
    # Where it has no default, or another one.
    for name in {"keras": ["from_logits"], "sklearn": ["from_logits", "from_log"]}.get(host, ()):
        if name in loss.settings and f"{name}=" not in code:
            code = code.replace("(", f"({name}={loss.settings[name]}, ", 1).replace(", )", ")")
    if arguments:
        code = f"{code[:-1]}, {arguments})".replace("(, ", "(")
    return code


def hosts(loss: Loss | Objective) -> dict[str, str]:
    """The frameworks in which it is at home, and what they are called here. Keras and scikit-learn know of nothing but
    a prediction and a target."""
    everywhere = {"PyTorch": "torch", "Keras": "keras", "JAX": "jax", "scikit-learn": "sklearn"}
    return {name: host for name, host in everywhere.items() if loss.paired or host in {"torch", "jax"}}


def in_use(loss: Loss | Objective, **options: Any) -> dict[str, str]:
    """A line of code for each framework in which a loss trains; with options of the hosts, as `at_home` takes them."""
    lines = {
        "PyTorch": f"criterion = {at_home('torch', loss, **options)}",
        "Keras": f"model.compile(loss={at_home('keras', loss, **options)})",
        "JAX": f"loss_fn = {at_home('jax', loss, **options)}",
    }
    return {framework: line for framework, line in lines.items() if framework in hosts(loss)}
