"""From LLVM's intermediate language to machine code, kept on disk for later processes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import itertools
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, final

import llvmlite
import llvmlite.binding as llvm

from lossary import cache

_lock = threading.RLock()
if hasattr(os, "register_at_fork"):
    # Another thread may have it while this one forks.
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)
_numbers = itertools.count()


@final
class MachineCode:
    """A compiled function `kernel` of so many whole numbers and one float; the code lives as long as this does."""

    def __init__(self, text: str, arguments: int) -> None:
        with _lock:  # LLVM's objects are shared
            code, compiler = _machine_code(text), _target()[1]
            library = llvm.JITLibraryBuilder().add_object_img(code).export_symbol("kernel")
            self._library = library.link(compiler, f"kernel-{next(_numbers)}")
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * arguments, ctypes.c_double)
        self.call: Callable[..., None] = kind(self._library["kernel"])


def supported() -> bool:
    """Whether this CPU multiplies and adds in one step, which the elementary functions rest on."""
    return bool(llvm.get_host_cpu_features().get("fma")) or llvm.get_default_triple().startswith("aarch64")


def has_avx512() -> bool:
    """Whether vectors fill one register of 64 bytes."""
    return bool(llvm.get_host_cpu_features().get("avx512f"))


@functools.cache
def _target() -> tuple[Any, Any]:
    """The machine and the linker. The code model is the linker's own, in which code and constants may lie far apart."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        jit=True,
    )
    return machine, llvm.create_lljit_compiler(machine)


def _machine_code(text: str) -> bytes:
    path = _path(text)
    kept = _read(path)
    if kept is not None:
        return kept
    code = object_code(text, _target()[0])
    _write(path, code)
    return code


def object_code(text: str, machine: Any) -> bytes:
    """The optimised code of a module for a machine, which need not be this one."""
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    module.verify()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)
    return bytes(machine.emit_object(module))


# ── the files ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _path(text: str) -> Path | None:
    """Where the code is kept: under a name that says what it was made of, by what, for which CPU."""
    directory = cache.directory("kernels")
    if directory is None:
        return None
    platform = llvm.get_default_triple(), llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    parts = (text, *platform, llvmlite.__version__)
    return directory / hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _read(path: Path | None) -> bytes | None:
    """The code that was kept, if it is whole."""
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:32], content[32:]
    return code if hashlib.sha256(code).digest() == digest else None


def _write(path: Path | None, code: bytes) -> None:
    """In one step, so that another process sees all of it or nothing; a disk that is full or read-only is no error."""
    if path is None:
        return
    with contextlib.suppress(OSError):
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
            file.write(hashlib.sha256(code).digest() + code)
        Path(file.name).replace(path)
