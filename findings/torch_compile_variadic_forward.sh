#!/usr/bin/env bash
# torch.compile hands a context to an autograd Function's forward that takes none, where nothing needs a gradient.
#
# Expected: a torch.autograd.Function with setup_context has a forward without a context, and compiles to what it
#   computes eagerly, whether or not one of its inputs needs a gradient.
# Happens: where forward takes its inputs by *args, the compiled call works while an input needs a gradient. Where none
#   does (evaluation, no_grad), forward gets the context as its first argument: the inputs are shifted by one, and what
#   follows is an error about something else. With a fixed list of arguments both work. It is looked at by how many
#   parameters forward has, not by whether there is a setup_context.
# Versions: torch 2.13.0, Python 3.11, Linux x86_64.
#
# Exits 0 while that is so, and 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/forward.py" <<'PYTHON'
import platform
import sys

import torch

print(f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}")


class Fixed(torch.autograd.Function):
    @staticmethod
    def forward(x, y):
        return x * y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx, upstream):
        x, y = ctx.saved_tensors
        return upstream * y, upstream * x


class Variadic(Fixed):
    @staticmethod
    def forward(*arrays):
        return arrays[0] * arrays[1]


def outcome(function, needs_gradient):
    torch.compiler.reset()
    x, y = torch.tensor([2.0], requires_grad=needs_gradient), torch.tensor([3.0])
    assert function.apply(x, y).item() == 6.0  # eagerly
    compiled = torch.compile(lambda x, y: function.apply(x, y), backend="eager", fullgraph=True)
    try:
        return compiled(x, y).item()
    except Exception as error:  # noqa: BLE001
        return type(error).__name__


found = [outcome(each, needs) for each in (Fixed, Variadic) for needs in (True, False)]
print("fixed: {} with a gradient, {} without; variadic: {} with, {} without".format(*found))
sys.exit(found[:3] != [6.0, 6.0, 6.0] or found[3] == 6.0)
PYTHON
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$folder/venv/bin/python" "$folder/forward.py"
