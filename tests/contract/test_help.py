"""What people find where they look: `help`, `dir`, tab completion, signatures and `import *`."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import re
import rlcompleter
from types import ModuleType
from typing import Any

import pytest

import lossary
from lossary import Pointwise, catalogue
from lossary.define.domains.numbers import Real
from lossary.define.parameters import parameter, parameters_of
from lossary.errors import UsageError
from lossary.index import LOSSES, PENALTIES
from tests.grid import DEFAULTS, losses

HOSTS = ("torch", "keras", "jax", "sklearn")
hosts = pytest.mark.parametrize("host", [importlib.import_module(f"lossary.{name}") for name in HOSTS], ids=HOSTS)


def words(text: str | None) -> str:
    return " ".join((text or "").split())


# ── help ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def says_what_the_class_states(text: str, cls: Any) -> None:
    """Each fact of the class, in the words that errors and `lossary show` use."""
    for name, known in parameters_of(cls).items():
        assert f"{name}: {known.doc}" in text
        assert known.wanted[1:] in text
        assert f"{known.symbol} in the formula" in text or not known.symbol
    assert not parameters_of(cls) or "ParameterError: " in text
    for source in cls.sources:
        assert source in text


@losses(DEFAULTS)
def test_help_of_a_loss(loss: Any) -> None:
    from lossary.describe.formula import formula

    page = pydoc.render_doc(type(loss), renderer=pydoc.plaintext)
    text = words(re.sub(r"^ \|", "", page, flags=re.MULTILINE))
    says_what_the_class_states(text, type(loss))
    assert words(formula(loss).text) in text
    for name, known in parameters_of(loss).items():
        assert f"{known.default!r} by default" in text, name
    shape = f"(…, {loss.prediction.size or 'K'})" if loss.prediction.rows else "(…)"
    beside = "(…)" if loss.target.axes < loss.prediction.axes else "the same shape"
    assert f"prediction: {shape}, floating point; {loss.prediction.wanted}" in text
    assert f"target: {beside}; {loss.target.wanted}" in text
    for name, known in parameters_of(loss).items():
        other = type(loss)(**{name: not known.default}) if known.is_flag else loss
        changes = {role for role in ("prediction", "target") if getattr(other, role) != getattr(loss, role)}
        assert text.count(f"({name}={not known.default}: ") == len(changes), name
    for error in ("ShapeError", "DtypeError", "DomainError", "FrameworkError"):
        assert error in text


@pytest.mark.parametrize("name", list(PENALTIES))
def test_help_of_a_penalty(name: str) -> None:
    penalty = getattr(lossary, name)
    text = words(inspect.getdoc(penalty))
    says_what_the_class_states(text, penalty)
    assert "UsageError: there is no parameter to count." in text


@hosts
@losses(DEFAULTS)
def test_help_of_a_loss_at_home(loss: Any, host: ModuleType) -> None:
    """What framework-free help says, what the framework's base class says, and this framework's own defaults."""
    cls = getattr(host, type(loss).__name__)
    text = words(inspect.getdoc(cls))
    says_what_the_class_states(text, type(loss))
    how, _, options = words(inspect.getdoc(cls.__mro__[1])).partition(" Args: ")
    assert how in text
    assert options in text
    given = {"keras": "must be given", "sklearn": "False by default"}.get(host.__name__.removeprefix("lossary."))
    if "from_logits" in loss.settings:
        assert f"True or False; {given or 'True by default'}." in text


@hosts
@losses(DEFAULTS)
def test_signatures_are_what_is_taken(loss: Any, host: ModuleType) -> None:
    cls = getattr(host, type(loss).__name__)
    taken = inspect.signature(cls).parameters
    assert list(taken)[: len(loss.settings)] == list(loss.settings)
    required = {name: True for name, each in taken.items() if each.default is each.empty}
    if required:
        with pytest.raises(UsageError):
            cls()
    made = cls(**required)
    for name in loss.settings.keys() - required.keys():
        assert taken[name].default == getattr(made.loss, name)
    cls(**{name: each.default for name, each in taken.items() if name not in required}, **required)


def test_help_of_a_loss_of_ones_own() -> None:
    class Bare(Pointwise):
        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return p.no_such_thing(y)  # cannot be printed

    class Settled(Pointwise):
        """One sentence.

        And more of them.
        """

        scale: float = parameter(default=2.0, above=0, doc="what it divides by, in metres")
        task = "regression"
        prediction, target = Real(), Real()

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return xp.abs(p - y) / self.scale

    assert "prediction: (…), floating point; numbers." in (Bare.__doc__ or "")
    text = Settled.__doc__ or ""
    assert text.startswith("One sentence.\n\nAnd more of them.\n\n    |ŷ - y| / scale\n\nArgs:\n    scale: ")
    assert "in metres. A finite number above 0; 2.0 by default." in text
    assert text == Settled().__doc__
    assert "reduction: " in words(type(Settled().torch()).__doc__)


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@hosts
def test_dir_lists_the_losses_and_nothing_internal(host: ModuleType) -> None:
    listed = set(dir(host))
    assert set(LOSSES) <= listed
    for name in listed - set(LOSSES):
        its = getattr(host, name)
        assert its.__module__ == host.__name__, name
        assert inspect.getdoc(its), name
    assert {"get", "host"} <= listed


@hosts
def test_completion_finds_the_losses(host: ModuleType) -> None:
    complete = rlcompleter.Completer({"home": host}).attr_matches
    assert {found.rstrip("()") for found in complete("home.Hub")} == {"home.Huber", "home.HuberQuantile"}
    assert {found.rstrip("()") for found in complete("home.")} == {f"home.{name}" for name in dir(host)}


@hosts
def test_import_everything(host: ModuleType) -> None:
    found: dict[str, Any] = {}
    exec(f"from {host.__name__} import *", found)
    del found["__builtins__"]
    assert set(found) == set(dir(host))
    assert found["Huber"] is host.Huber


def test_the_package_completes_its_homes() -> None:
    found = rlcompleter.Completer({"lossary": lossary}).attr_matches("lossary.")
    assert {name.rpartition(".")[2].rstrip("()") for name in found} == set(dir(lossary)) - {"__version__"}
    assert {cls.__name__ for cls in catalogue.classes()} <= set(dir(lossary))


def test_the_check_lists_what_it_has() -> None:
    assert dir(lossary.check) == sorted(lossary.check.__all__)
