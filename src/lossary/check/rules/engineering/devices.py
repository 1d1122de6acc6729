from __future__ import annotations

import copy
import dataclasses
import re
from typing import Any

from lossary.check.rulebook.rule import Failure, Severity, rule
from lossary.check.rulebook.tags import Tag
from lossary.check.rules.engineering.compiles import first_line
from lossary.check.subject.subject import Subject

ON_DEVICES = Tag(lambda s: s.backend.name == "torch", "its framework sees to devices by itself")


@rule(
    "LSY608",
    severity="error",
    needs=(ON_DEVICES,),
    remedy="register_buffer what a module keeps, and make constants with device=input.device",
    wrong="""
        import torch

        def loss(input, target):
            scale = torch.linspace(1, 2, len(input))
            return (scale * (input - target) ** 2).mean()
    """,
    right="""
        import torch

        def loss(input, target):
            scale = torch.linspace(1, 2, len(input), device=input.device)
            return (scale * (input - target) ** 2).mean()
    """,
    seen=(
        "pytorch/pytorch#122757: a loss's weight stayed on the CPU",
        "pytorch/pytorch#3879: class weights did not move with the module",
        "graphnet-team/graphnet#328: a constant of the loss was made on the CPU, and training on a GPU failed",
    ),
)
def devices(subject: Subject) -> Failure | None:
    """After `.to(device)` the loss takes inputs on that device, and its result is there.

    A tensor that is an attribute instead of a buffer, or made inside the call without `device=`, stays on the CPU. The
    first run on a GPU ends in an error. In a function, which promises nothing about devices, it is a warning. Asked on
    PyTorch's meta device, which has shapes and no numbers, and on CUDA where there is one.
    """
    import torch

    severity: Severity | None = None if isinstance(subject.loss, torch.nn.Module) else "warning"
    p, y = (subject.backend.array(each) for each in subject.batch(4))
    for device in ("meta", "cuda") if torch.cuda.is_available() else ("meta",):
        try:
            loss = copy.deepcopy(subject.loss).to(device) if isinstance(subject.loss, torch.nn.Module) else subject.loss
        except Exception:  # whether it can be copied is asked elsewhere
            return None
        try:
            result = subject.raw(p.to(device), y.to(device), loss=loss)
        except Exception as error:
            if re.search(r"\bdevices?\b", str(error)):
                return Failure(
                    f"on the device {device!r}: {first_line(error)}", _code(subject, device), severity=severity
                )
            continue  # values cannot be read there: no matter of devices
        if isinstance(result, torch.Tensor) and result.device.type != device:
            message = f"inputs on the device {device!r}, and a loss on {result.device.type!r}"
            return Failure(message, _code(subject, device), severity=severity)
    return None


def _code(subject: Subject, device: str) -> str:
    import torch

    p, y = (f'{subject.backend.literal(each)}.to("{device}")' for each in subject.batch(4))
    first, source = "", subject.source
    if isinstance(subject.loss, torch.nn.Module):
        first, source = "import copy; ", f'copy.deepcopy({source}).to("{device}")'
    call: Any = dataclasses.replace(subject, source=source).expression("x", "y")
    return f"{first}x, y = {p}, {y}\nprint({call}.device)"
