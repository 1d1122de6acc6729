"""What the catalogue knows of each loss, and how a loss is found by its names."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import importlib
import inspect
import json
import pickle
import pkgutil
import sys
import types
from typing import Any, get_args

import numpy as np
import pytest

import lossary
import lossary.losses
from lossary import Huber, SparseCategoricalCrossEntropy, catalogue, errors
from lossary.catalogue import closest
from lossary.define import registry
from lossary.define.domains.numbers import Real
from lossary.define.loss import Loss, Pointwise, Task
from lossary.define.parameters import parameters_of
from lossary.index import FAMILIES, LOSSES
from lossary.names import NAMES
from tests.grid import DEFAULTS, losses


def test_one_loss_one_file() -> None:
    found = {}
    for module in pkgutil.walk_packages(lossary.losses.__path__, "lossary.losses."):
        if not module.ispkg:
            namespace = vars(importlib.import_module(module.name))
            own = [
                x
                for x in namespace.values()
                if inspect.isclass(x) and issubclass(x, Loss) and x.__module__ == module.name
            ]
            assert len(own) == 1, module.name
            if dataclasses.is_dataclass(own[0]):  # else it is abstract: what several losses have in common
                found[own[0].__name__] = module.name
    assert found == LOSSES, "make index"
    assert [cls.__name__ for cls in catalogue.classes()] == list(LOSSES)
    assert catalogue.recorded()[: len(LOSSES)] == catalogue.classes()


def test_a_family_is_a_folder_and_its_title_what_the_folder_says() -> None:
    folders = [each for each in pkgutil.iter_modules(lossary.losses.__path__, "lossary.losses.") if each.ispkg]
    assert {each.name.rpartition(".")[2]: importlib.import_module(each.name).__doc__ for each in folders} == FAMILIES
    assert list(dict.fromkeys(map(catalogue.family, catalogue.classes()))) == list(FAMILIES)


@losses(of=DEFAULTS)
def test_a_loss_says_what_it_is(loss: Any) -> None:
    cls = type(loss)
    assert cls.__doc__
    assert loss.task in get_args(Task)
    for text in (
        inspect.getdoc(cls),
        loss.output_layer,
        loss.choosing,
        *loss.strengths,
        *loss.weaknesses,
        *loss.sources,
    ):
        assert text == text.strip() != ""
    for group in (loss.strengths, loss.weaknesses, loss.sources, loss.foreign_names):
        assert isinstance(group, tuple)
        assert group
    for known in parameters_of(cls).values():
        assert known.doc
        for example in known.examples:
            assert example != known.default


def test_a_twin_of_several_losses_leads_to_the_everyday_one(monkeypatch: Any) -> None:
    monkeypatch.setattr(registry, "_recorded", dict(registry._recorded))

    class Distilled(Pointwise):
        """Another loss that an equally named one elsewhere agrees with, in a family that comes first."""

        task = "regression"
        prediction, target = Real(), Real()
        same_as = Huber.same_as

        def value(self, xp: Any, p: Any, y: Any) -> Any:
            return xp.abs(p - y)

    found = catalogue.names([Distilled, Huber])
    assert found["distilled"] is Distilled
    assert {found[catalogue.folded(twin.name)] for twin in Huber.same_as} == {Huber}


def test_foreign_names_belong_to_one_loss() -> None:
    owners: dict[str, str] = {}
    for cls in catalogue.classes():
        for name in cls.foreign_names:
            assert owners.setdefault(name.lower(), cls.__name__) == cls.__name__
            assert name not in LOSSES


@losses(of=DEFAULTS)
def test_a_loss_is_found_by_all_its_names(loss: Any) -> None:
    cls = type(loss)
    for name in (cls.__name__, cls.__name__.lower(), *cls.foreign_names):
        assert catalogue.find(name) is cls, name
        assert lossary.get(name) == loss
    for twin in cls.same_as:
        theirs = catalogue.find(twin.name)
        assert twin.name in [other.name for other in theirs.same_as]


@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [
        ("mse", {}, "MeanSquaredError()"),
        ("huber", {"delta": 2}, "Huber(delta=2.0)"),
        ("bce", {"pos_weight": 3}, "BinaryCrossEntropy(pos_weight=3.0)"),
        ("mean_absolute_error", {}, "MeanAbsoluteError()"),
        ("pinball", {"level": 0.9}, "Quantile(level=0.9)"),
        ("torch.nn.HuberLoss", {}, "Huber(delta=1.0)"),
        ("kl_divergence", {"log_target": True}, "KLDivergence(log_target=True)"),
        ("cross_entropy", {}, "SparseCategoricalCrossEntropy()"),
    ],
)
def test_get(name: str, settings: dict[str, Any], wanted: str) -> None:
    assert repr(lossary.get(name, **settings)) == wanted


def test_get_of_a_name_that_nobody_knows() -> None:
    with pytest.raises(errors.UnknownNameError, match=r"(?s)no loss 'hubber'.*did you mean Huber"):
        lossary.get("hubber")
    with pytest.raises(LookupError, match=r"(?s)no loss 'xyzzy'.*lossary list --all shows all"):
        lossary.get("xyzzy")
    with pytest.raises(errors.UsageError, match="no hyper-parameter 'beta'"):
        lossary.get("huber", beta=2.0)
    with pytest.raises(errors.ParameterError, match="above 0"):
        lossary.get("huber", delta=0)


def test_what_is_close_is_what_difflib_finds(random: Any) -> None:
    names = [*NAMES, "huber", "hinge", "focal", "", "a"]
    for name in (*random.choice(list(NAMES), size=30), "zzzz", "hubber", "q" * 20, "ab"):
        letters = list(name)
        for _ in range(random.integers(1, 4)):
            letters[random.integers(len(letters))] = random.choice(["", "e", "er"])
        wanted = "".join(letters) or "x"
        assert [closest(wanted, names)] == (difflib.get_close_matches(wanted, names, n=1) or [None])


def test_a_typing_error_is_looked_up_among_names_of_its_length(monkeypatch: Any) -> None:
    looked_at, quick_ratio = [], difflib.SequenceMatcher.quick_ratio

    def spy(self: Any) -> float:
        looked_at.append(self.a)
        return quick_ratio(self)

    monkeypatch.setattr(difflib.SequenceMatcher, "quick_ratio", spy)
    names = [f"{name}{number}" for name in NAMES for number in range(10)]
    assert closest("hubber", [*names, "huber"]) == "huber"
    assert len(looked_at) < len(names) / 8  # about as many as have its length


# ── configs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_config_never_imports(tmp_path: Any, monkeypatch: Any) -> None:
    (tmp_path / "trap_module.py").write_text("raise RuntimeError('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name in (
        "trap_module:Trap",
        "trap_module.Trap",
        "os:system",
        "lossary.losses.regression.huber:Huber",
        "Nothing",
        None,
    ):
        with pytest.raises(errors.UnknownNameError, match=r"(?s)recorded.*a config never imports anything"):
            lossary.from_config({"name": name})
    assert "trap_module" not in sys.modules


def test_a_config_of_something_else() -> None:
    with pytest.raises(errors.ParameterError, match=r"Huber\.from_config needs the config of one"):
        Huber.from_config({"name": "MeanSquaredError"})
    with pytest.raises(errors.ParameterError, match="delta must be"):
        lossary.from_config({"name": "Huber", "delta": -1})
    with pytest.raises(errors.UsageError, match="no hyper-parameter 'alpha'"):
        lossary.from_config({"name": "Huber", "alpha": 1})


def test_config_is_plain() -> None:
    assert Huber(2).config() == {"name": "Huber", "delta": 2.0}
    config = SparseCategoricalCrossEntropy(class_weight=(1, 2)).config()
    assert config["class_weight"] == [1.0, 2.0]
    before = dict(config)
    lossary.from_config(config)
    assert config == before
    assert Loss.from_config(config) == SparseCategoricalCrossEntropy(class_weight=(1, 2))


@pytest.mark.parametrize("levels", [[0.25, 0.75], (0.25, 0.75), np.array([0.25, 0.75]), np.float32([0.25, 0.75])])
def test_several_numbers_are_kept_as_a_tuple(levels: Any) -> None:
    loss = lossary.MultiQuantile(levels)
    assert loss.levels == (0.25, 0.75)
    assert repr(loss) == "MultiQuantile(levels=(0.25, 0.75))"
    assert repr(lossary.MultiQuantile()) == "MultiQuantile(levels=(0.1, 0.5, 0.9))"
    assert json.loads(json.dumps(loss.config())) == {"name": "MultiQuantile", "levels": [0.25, 0.75]}
    assert lossary.from_config(loss.config()) == loss == pickle.loads(pickle.dumps(loss))
    assert hash(loss) == hash(lossary.MultiQuantile((0.25, 0.75)))


def test_a_pickle_names_losses_of_ours_and_says_when_there_is_none() -> None:
    saved = pickle.dumps(Huber(2.0))
    assert pickle.loads(saved) == copy.deepcopy(Huber(2.0)) == Huber(2.0)
    assert b"lossary.losses" not in saved  # a file may move
    with pytest.raises(errors.UnknownNameError, match=r"(?s)this version of lossary has no 'Hugar'.*--upgrade"):
        pickle.loads(saved.replace(b"Huber", b"Hugar"))


# ── a user's own ─────────────────────────────────────────────────────────────────────────────────────────────────────


def define(module: types.ModuleType, factor: float) -> Any:
    """A user's module that defines a loss."""
    code = f'''
class Mine(Pointwise):
    """A user's loss."""
    scale: float = parameter(1.0, above=0, doc="a factor")
    task = "regression"
    prediction, target = Real(), Real()
    def value(self, xp, p, y):
        return {factor} * self.scale * xp.abs(p - y)
'''
    vars(module).update(Pointwise=Pointwise, Real=Real, parameter=lossary.define.parameters.parameter)
    exec(code, vars(module))
    return module.Mine


def test_a_users_loss_is_recorded_by_being_defined(monkeypatch: Any) -> None:
    monkeypatch.setattr(registry, "_recorded", dict(registry._recorded))
    module = types.ModuleType("my_own_losses")
    monkeypatch.setitem(sys.modules, "my_own_losses", module)
    mine = define(module, 1.0)
    assert mine(scale=2).config() == {"name": "my_own_losses:Mine", "scale": 2.0}
    assert lossary.from_config(mine(2).config()) == mine(2)
    assert mine in catalogue.recorded()
    assert mine not in catalogue.classes()
    assert lossary.get("my_own_losses:Mine", scale=3) == mine(3)
    assert catalogue.find("mine") is mine
    again = define(module, 2.0)  # a notebook cell run again
    assert lossary.from_config({"name": "my_own_losses:Mine"}) == again()
    assert lossary.from_config({"name": "my_own_losses:Mine"})(prediction=[1.0], target=[0]) == 2.0
    assert mine not in catalogue.recorded()


def test_a_users_loss_cannot_hide_one_of_ours(monkeypatch: Any) -> None:
    monkeypatch.setattr(registry, "_recorded", dict(registry._recorded))
    theirs = type(
        "Huber",
        (Pointwise,),
        {
            "task": "regression",
            "prediction": Real(),
            "target": Real(),
            "value": lambda self, xp, p, y: 0.0 * p,
            "__module__": "elsewhere",
        },
    )
    assert lossary.get("huber") == Huber()
    assert lossary.from_config({"name": "Huber"}) == Huber()
    assert lossary.from_config({"name": "elsewhere:Huber"}) == theirs()
