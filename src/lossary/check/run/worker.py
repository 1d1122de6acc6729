"""The child's side: `python -m lossary.check.run.worker` imports the user's files and asks the rules, one by one.

A request is one line of JSON on the standard input, the answer one line on the standard output. Both are taken away
before the user's code is seen: what that prints, by whatever means, goes to the standard error, which nobody shows.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import sys
from typing import IO, TYPE_CHECKING, Any, final

from lossary.check.inference import stated
from lossary.check.report.report import Precision
from lossary.check.rulebook.rule import Failure, find
from lossary.check.run.ask import FIRST, Finding, Outcome, TimeLimit, ask, finding_of, limited, named, quiet
from lossary.check.run.configuration import Configuration
from lossary.errors import LossaryError, UsageError

if TYPE_CHECKING:
    from lossary.check.subject.subject import Subject

Answer = dict[str, Any]


@final
class Worker:
    """Holds what was imported, and answers requests about it."""

    def __init__(self) -> None:
        self._losses: list[Any] = []
        self._subject: Any = None
        self._configuration = Configuration()

    def answer(self, request: Answer) -> Answer:
        """What a request asks for; `error`, one sentence, where it cannot be had."""
        try:
            return getattr(self, request.pop("ask"))(**request)  # type: ignore[no-any-return]  # all of them are
        except (LossaryError, ImportError) as error:
            return {"error": str(error)}
        except Exception as error:
            return {"error": f"the check itself failed: {named(error)}."}

    def losses(self, targets: list[str], configuration: dict[str, Any]) -> Answer:
        """Import what the targets name, and say which losses are in it."""
        from lossary.check.inference import find

        self._configuration = Configuration(**configuration)
        random.seed(self._configuration.seed)
        with quiet():
            self._losses = [loss for each in targets for loss in find.losses(each, self._configuration.arguments)]
        return {"losses": [{"name": each.name, "path": each.path, "line": each.line} for each in self._losses]}

    def infer(self, loss: int) -> Answer:
        """What is known of a loss, or the finding that it does not even answer the questions to find that out."""
        chosen, facts = self._losses[loss], self._configuration.facts()
        limit_memory()
        try:
            with quiet(), limited(self._configuration.time_limit):
                self._subject = self._subject_of(chosen, facts)
        except TimeLimit:
            return _silent(chosen, f"did not come to an end in {self._configuration.time_limit:g} s")
        except (SystemExit, GeneratorExit, KeyboardInterrupt) as error:
            return _silent(chosen, f"tried to end the process: {named(error)}")
        except UsageError:
            # It may be no riddle, but give no answers.
            self._subject = self._subject_of(chosen, {"task": "regression", **facts})
            outcome = self.outcome(FIRST)
            if outcome["status"] != "failed":
                raise
            return {"finding": outcome["finding"]}
        except LossaryError:
            raise
        except Exception as error:
            return _silent(chosen, f"gives no answer that can be understood: {named(error)}")
        limit_memory()
        return {"inferred": list(self._subject.inferred), "instead": stated.instead(self._subject)}

    def _subject_of(self, chosen: Any, facts: dict[str, Any]) -> Subject:
        place = {"name": chosen.name, "path": chosen.path, "line": chosen.line}
        written = {"source": chosen.source, "imports": chosen.imports}
        return stated.subject(chosen.loss, **facts, **place, **written, seed=self._configuration.seed)

    def precision(self) -> Answer:
        """How exact the loss is that was inferred last; None where nobody knows its formula."""
        precision = Precision.of(self._subject)
        return {"precision": None if precision is None else dataclasses.asdict(precision)}

    def outcome(self, rule: str) -> Answer:
        """What one rule finds in the loss that was inferred last."""
        chosen = find(rule)
        try:
            outcome = ask(chosen, self._subject, self._configuration.time_limit)
        except BaseException as error:
            failure = Failure(f"raised {named(error)}")
            outcome = Outcome(rule, "failed", finding_of(chosen, self._subject, failure))
        return dataclasses.asdict(outcome)


def _silent(loss: Any, message: str) -> Answer:
    return {"finding": _plain(finding_of(find(FIRST), loss, Failure(message)))}


def _plain(finding: Finding) -> Answer:
    return dataclasses.asdict(finding)


def limit_memory(more: int = 4 << 30) -> None:
    """Let this process have so many bytes more than it has now, where the system can do that: what allocates without
    bound ends in a `MemoryError`, not in a machine that stands still."""
    try:
        import resource

        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123  # not a file of anybody's
            used = int(file.read().split()[0]) * resource.getpagesize()
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        most = used + more if hard == resource.RLIM_INFINITY else min(used + more, hard)
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
    except (ImportError, OSError):
        return


def _pipes() -> tuple[IO[str], IO[str]]:
    """The way requests come and answers go; from here on the standard streams lead elsewhere."""
    requests, answers = os.fdopen(os.dup(0), encoding="utf-8"), os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    return requests, answers


def main() -> None:
    requests, answers = _pipes()
    # Last, so that no file of the user's stands in for a module that somebody else imports.
    sys.path.append(str(os.getcwd()))  # noqa: PTH109  # as Python itself would write it
    worker, own = Worker(), os.getpid()
    for line in requests:
        answer = json.dumps(worker.answer(json.loads(line)))
        if os.getpid() != own:  # a loss that forked, and returned twice
            os._exit(0)
        answers.write(answer + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
