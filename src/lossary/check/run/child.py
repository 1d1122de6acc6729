"""The parent's side of the process that losses run in: whatever they do to it, this one lives on."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from types import TracebackType
from typing import Any, final

from lossary import cache


class Lost(Exception):  # noqa: N818  # it says what happened
    """The child is gone, or had to be stopped; the message says how: "ended the process: SIGSEGV"."""


@final
class Child:
    """A process of its own that answers requests, one at a time, and is started when the first one comes.

    After `Lost` the next request goes to a new process, which knows nothing of what was asked before.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def ask(self, request: dict[str, Any], patience: float | None) -> dict[str, Any]:
        """The answer.

        Args:
            patience: seconds to wait for it; None for as long as it takes.

        Raises:
            Lost: the process ended, or was stopped for it took too long or said what nobody understands.
        """
        process = self._process or self._start()
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = self._answers.get(timeout=patience)
        except OSError:  # it is gone already
            line = None
        except queue.Empty:
            self.stop()
            raise Lost(f"did not come to an end in {patience:g} s, and had to be stopped") from None
        if line is None:
            raise Lost(self._ending())
        try:
            answer = json.loads(line)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            self.stop()
            raise Lost("wrote into the pipe that the answers come by")
        return answer

    def stop(self) -> None:
        """End the process and those that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(process.pid, signal.SIGKILL)
            else:
                process.kill()
        process.wait()
        assert self._reader is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # what was not sent yet goes nowhere
            process.stdin.close()
        self._reader.join(timeout=1)
        if not self._reader.is_alive():  # a process that got away may keep the pipe open
            process.stdout.close()

    def _start(self) -> subprocess.Popen[str]:
        self._answers = queue.SimpleQueue()
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "lossary.check.run.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **_compiled_by_jax(), **os.environ, "PYTHONHASHSEED": "0"},
            start_new_session=True,  # Ctrl-C is for this process, which ends that one
        )
        self._reader = threading.Thread(target=self._read, args=(self._process, self._answers), daemon=True)
        self._reader.start()
        return self._process

    @staticmethod
    def _read(process: subprocess.Popen[str], answers: queue.SimpleQueue[str | None]) -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed, or no text at all
            for line in process.stdout:
                answers.put(line)
        answers.put(None)

    def _ending(self) -> str:
        """How the process came to its end."""
        process = self._process
        assert process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        code = process.returncode
        self.stop()
        if code is not None and code < 0:
            return f"ended the process: {signal.Signals(-code).name}"
        return "closed the pipe that the answers come by" if code is None else f"ended the process: exit code {code}"


def _compiled_by_jax() -> dict[str, str]:
    """What makes JAX keep what it compiles: outside of a trace it compiles every operation anew for every shape, which
    is nearly all of the time that a check takes there."""
    kept = cache.directory("jax")
    if kept is None:
        return {}
    return {
        "JAX_COMPILATION_CACHE_DIR": str(kept),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
