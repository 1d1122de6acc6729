"""What a check is told: on the command line, in `[tool.lossary.check]` of a pyproject.toml, or from Python."""

from __future__ import annotations

import ast
import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, final

from lossary.check.run.ask import TIME_LIMIT
from lossary.errors import ParameterError

ANY = ""  # in place of a loss's name: whichever is checked
_FACTS = ("framework", "task", "order", "reduction", "logits", "claims", "formula")
_KINDS = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


@final
@dataclasses.dataclass(frozen=True)
class Configuration:
    """Everything that can be told, as plain data.

    Args:
        framework, task, order, reduction, logits, claims, formula: what the loss is, in place of what would be
            inferred; see `lossary.check.check_loss`.
        arguments: what a loss that is a class is made with.
        select, ignore: codes, or their beginnings, or names of rules.
        expected_failures: loss → rule → reason; the loss as "losses.py::name", or `ANY`.
        thorough: ask the slow rules, too.
        strict: warnings count as errors.
        precision: measure how exact the loss is, too, where its formula is known; `thorough` does so.
        seed: of the random inputs.
        time_limit: seconds for each rule.
    """

    framework: str | None = None
    task: str | None = None
    order: str | None = None
    reduction: str | None = None
    logits: bool | None = None
    claims: tuple[str, ...] = ()
    formula: str | None = None
    arguments: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    expected_failures: Mapping[str, Mapping[str, str]] = dataclasses.field(default_factory=dict)
    thorough: bool = False
    strict: bool = False
    precision: bool = False
    seed: int = 0
    time_limit: float = TIME_LIMIT

    def __post_init__(self) -> None:
        if self.time_limit <= 0:
            raise ParameterError(f"the time limit must be more than 0 seconds, not {self.time_limit:g}.")
        if self.seed < 0:
            raise ParameterError(f"the seed must be 0 or more, not {self.seed}.")

    def facts(self) -> dict[str, Any]:
        """What the loss is told to be; what was not told is not in it."""
        return {name: getattr(self, name) for name in _FACTS if getattr(self, name) not in (None, ())}

    def as_dict(self) -> dict[str, Any]:
        """As plain data, which JSON can carry."""
        return {each.name: _plain(getattr(self, each.name)) for each in dataclasses.fields(self)}

    def updated(self, **changes: Any) -> Configuration:
        """With what is told in place of what is here; None and () are as good as nothing said.

        Expected failures are added to those that are here.
        """
        expected = {**self.expected_failures, **(changes.pop("expected_failures", None) or {})}
        stated = {name: value for name, value in changes.items() if value not in (None, ())}
        return dataclasses.replace(self, expected_failures=expected, **stated)


def read(folder: Path) -> Configuration:
    """The configuration that holds in a folder: of the nearest pyproject.toml, upwards, with a table for it.

    Raises:
        ParameterError: a key that does not exist, or a value of the wrong kind.
    """
    import tomllib

    for path in (each / "pyproject.toml" for each in (folder, *folder.parents)):
        if not path.is_file():
            continue
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {}).get("lossary", {}).get("check")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ParameterError(f"{path.name} is no TOML: {error}.") from None
        if table is not None:
            return Configuration(**_checked(table, path))
    return Configuration()


def arguments(words: Iterable[str]) -> dict[str, Any]:
    """What a loss is made with, of words such as "delta=0.5"; what is no Python value is text.

    Raises:
        ParameterError: a word that is none such.
    """
    values: dict[str, Any] = {}
    for word in words:
        name, mark, value = word.partition("=")
        if not mark or not name.isidentifier():
            raise ParameterError(f"--arg is name=value, such as delta=0.5, not {word!r}.")
        try:
            values[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            values[name] = value
    return values


def expected(words: Iterable[str]) -> dict[str, dict[str, str]]:
    """The failures that are expected, of words such as "LSY204=kinked by design".

    Raises:
        ParameterError: a word that is none such.
    """
    reasons: dict[str, str] = {}
    for word in words:
        rule, mark, reason = word.partition("=")
        if not mark or not reason.strip():
            raise ParameterError(f"--expect is a rule and a reason, LSY204='kinked by design', not {word!r}.")
        reasons[rule] = reason
    return {ANY: reasons} if reasons else {}


def _checked(table: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """The table's keys and values as those of a `Configuration`."""
    where = f"[tool.lossary.check] of {path.name}"
    fields = {each.name.replace("_", "-"): each for each in dataclasses.fields(Configuration)}
    del fields["arguments"]  # they belong to one loss
    settings: dict[str, Any] = {}
    for key, value in table.items():
        if key not in fields:
            close = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(fields)}."
            raise ParameterError(f"{where} has no key {key!r}.", hint=hint)
        description, converted = _converted(fields[key], value, path.parent)
        if converted is None:
            raise ParameterError(f"{where}: {key} must be {description}.", received=f"{value!r}.")
        settings[fields[key].name] = converted
    return settings


def _converted(field: dataclasses.Field[Any], value: Any, folder: Path) -> tuple[str, Any]:
    """What a field must be, in words, and the value as that; None where it is something else."""
    if field.name == "expected_failures":
        description = 'a table such as {"losses.py::my_loss" = {LSY204 = "the reason"}}'
        right = isinstance(value, dict) and all(
            isinstance(rules, dict) and all(isinstance(reason, str) and reason for reason in rules.values())
            for rules in value.values()
        )
        return description, {_located(loss, folder): rules for loss, rules in value.items()} if right else None
    if "tuple" in str(field.type):
        right = isinstance(value, list) and all(isinstance(each, str) for each in value)
        return "a list of texts", tuple(value) if right else None
    for kind, description in _KINDS.items():
        if kind.__name__ in str(field.type):
            numeric = kind is float and isinstance(value, int) and not isinstance(value, bool)
            return description, value if type(value) is kind or numeric else None
    raise AssertionError(field)


def _located(loss: str, folder: Path) -> str:
    """The loss's key with the place of its file: in a pyproject.toml it is seen from there."""
    path, mark, name = loss.partition("::")
    return f"{(folder / path).resolve()}::{name}" if mark else loss


def covers(key: str, name: str, path: str) -> bool:
    """Whether an expected failure's key means the loss of that name, in that file."""
    return key in (ANY, name, f"{Path(path).resolve()}::{name}" if path else name)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value
