"""What was given as a loss, before anything of it is called: where it comes from, how it is made, what it says."""

from __future__ import annotations

import collections
import dataclasses
import functools
import inspect
import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any, final

from lossary.check.inference import conventions
from lossary.check.subject.subject import Constructor
from lossary.define.loss import Loss
from lossary.define.objective import Objective
from lossary.errors import LossaryError, MissingExtraError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from lossary.define.domains.domain import Domain

_SKIPPED = ("size_average", "reduce", "name", "dtype")  # arguments of a framework's constructors that say nothing
_METHODS = {"clamp", "unsqueeze", "detach", "log_softmax", "softmax", "gather", "logsumexp", "sigmoid"}  # PyTorch's


@final
@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """A callable, and what can be read off it.

    Args:
        name: as people write it.
        loss: what is called.
        host: "numpy", "torch", "keras", "jax" or "lossary"; None where nothing says so.
        kind: what it is, in a word: "function", "module".
        parameters: of the call, the two arrays first.
        word: the name of the function or class, which may say what kind of loss it is.
        public: the dotted name of a framework's own loss: "torch.nn.HuberLoss"; else "".
        options: the arguments that have a value already, by name: a function's defaults, a constructor's settings.
        definition: what it says of itself, where it is one of lossary's.
        entry: the shape of one row of the prediction, where it is known.
        constructor, source, imports, path, line: as `Subject` has them.
        instance: whether it was given ready made, so that `source` may be no more than a name.
    """

    name: str
    loss: Any
    host: str | None
    kind: str
    parameters: tuple[inspect.Parameter, ...]
    word: str
    public: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    definition: Loss | Objective | None = None
    constructor: Constructor | None = None
    source: str = "loss"
    imports: str = ""
    path: str = ""
    line: int = 0

    @property
    def title(self) -> str:
        """What it is, as it is said aloud: "PyTorch module"."""
        return f"{conventions.TITLES.get(self.host or '', 'lossary')} {self.kind}"

    @property
    def settings(self) -> dict[str, float]:
        """The hyper-parameters of numbers."""
        return {
            name: value
            for name, value in self.options.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and name not in conventions.NOT_SETTINGS
        }

    @property
    def domains(self) -> tuple[Domain, Domain] | None:
        """What lossary's own says that its prediction and target may be."""
        return None if self.definition is None else (self.definition.prediction, self.definition.target)

    def names(self, words: tuple[str, ...]) -> str | None:
        """The first argument after the two arrays that has one of these names."""
        return next((each.name for each in self.parameters[2:] if each.name in words), None)


def candidate_of(loss: Any, framework: str | None) -> Candidate:
    """What there is to see of anything that may be a loss.

    Raises:
        UsageError: it is not callable, takes fewer than two arguments or more than two arrays, or cannot be made.
        UnknownNameError: a string that is no loss of Keras.
        MissingExtraError: Keras is wanted and is not installed.
    """
    if isinstance(loss, str):
        return _of_keras_name(loss)
    bound: dict[str, Any] = {}
    if isinstance(loss, functools.partial) and not loss.args:
        loss, bound = loss.func, dict(loss.keywords)
    if isinstance(loss, type):
        return _of_class(loss, bound, framework)
    if not callable(loss):
        raise UsageError(
            "a loss must be callable: a function, a module or a class.",
            received=f"{type(loss).__name__}: {str(loss)[:60]}",
            hint="for example `def my_loss(prediction, target): ...`.",
        )
    own = _of_lossary(loss)
    if own is not None:
        return own
    if framework_class(type(loss)) is not None or (not hasattr(loss, "__code__") and not hasattr(loss, "__name__")):
        return _instance(loss, _constructor_of(loss))
    return _function(loss, bound)


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _function(loss: Any, bound: dict[str, Any]) -> Candidate:
    parameters = _parameters(loss, bound)
    called = functools.partial(loss, **bound) if bound else loss
    name = getattr(loss, "__name__", type(loss).__name__).strip("<>")
    arguments = ", ".join(f"{key}={value!r}" for key, value in bound.items())
    module, public = _home(loss)
    imports = _import(module, public, name)
    source = public or name if name.isidentifier() and name != "lambda" else "loss"
    if bound:  # a name that nothing imports stands for the loss with what is bound
        importable = bool(imports) or "." in public
        source = f"functools.partial({source}, {arguments})" if importable else "loss"
        imports = "; ".join(each for each in ("import functools" if importable else "", imports) if each)
    options = {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty} | bound
    path, line = place(loss)
    return Candidate(
        name=f"{name}({arguments})" if arguments else name,
        loss=called,
        host=_host(loss),
        kind="function",
        parameters=parameters,
        word=name,
        public=public if _root(loss) in conventions.HOSTS else "",
        options=options,
        source=source,
        imports=imports,
        path=path,
        line=line,
    )


def _parameters(call: Any, bound: Mapping[str, Any] = {}) -> tuple[inspect.Parameter, ...]:  # never changed
    """The arguments of a call that are not bound yet, the two arrays first.

    Raises:
        UsageError: there are not two arrays, or a third argument that must be given.
    """
    requirement = "a loss must take two arrays, the prediction and the target."
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (ValueError, TypeError):  # built in C, without a signature
        positional = inspect.Parameter.POSITIONAL_ONLY
        return inspect.Parameter("prediction", positional), inspect.Parameter("target", positional)
    parameters = [each for each in parameters if each.name not in bound]
    more = [each for each in parameters if each.kind is inspect.Parameter.VAR_POSITIONAL]
    named = [
        each
        for each in parameters
        if each.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    ]
    plain = [each for each in named if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    if more and len(plain) < 2:
        positional = inspect.Parameter.POSITIONAL_ONLY
        missing = [inspect.Parameter(name, positional) for name in ("prediction", "target")][len(plain) :]
        plain, named = [*plain, *missing], [*plain, *missing, *(each for each in named if each not in plain)]
    elif len(plain) < 2 <= len(named):
        plain = named[:2]
    if len(plain) < 2:
        raise UsageError(requirement, received=_shown(call), hint="for example `def my_loss(prediction, target): ...`.")
    rest = [each for each in named if each not in plain[:2]]
    for each in rest:
        if each.default is inspect.Parameter.empty and each.name not in conventions.WEIGHTS:
            raise UsageError(
                f"{requirement[:-1]}; {each.name!r} must have a value.",
                received=_shown(call),
                hint=f"--arg {each.name}=VALUE gives it one (in Python, functools.partial(loss, {each.name}=VALUE)).",
            )
    return (*plain[:2], *rest)


def _shown(call: Any) -> str:
    name = getattr(call, "__qualname__", type(call).__qualname__)
    return f"{name}{inspect.signature(call)}"[:120]


# ── classes and what they make ───────────────────────────────────────────────────────────────────────────────────────


def _of_class(kind: type, bound: dict[str, Any], framework: str | None) -> Candidate:
    """The loss that a class makes with these arguments."""
    try:
        loss = kind(**bound)
    except LossaryError:
        raise
    except Exception as error:
        first = next(iter(str(error).splitlines()), "")
        raise UsageError(
            f"{kind.__name__} cannot be made{' with ' + ', '.join(bound) if bound else ' without arguments'}.",
            received=f"{type(error).__name__}: {first}",
            hint=f"{kind.__name__}{_signature_of(kind)}: --arg NAME=VALUE gives it an argument.",
        ) from error
    if not callable(loss):
        return candidate_of(loss, framework)
    own = _of_lossary(loss)
    if own is not None:
        return own
    arguments = _arguments(kind)
    settings = {name: each.default for name, each in arguments.items() if each.default is not each.empty} | bound
    return _instance(loss, _constructor(kind, {name: x for name, x in settings.items() if name not in _SKIPPED}))


def _signature_of(kind: type) -> str:
    try:
        return str(inspect.signature(kind))
    except (ValueError, TypeError):
        return "(...)"


def _arguments(kind: type) -> dict[str, inspect.Parameter]:
    """What its constructor takes by name."""
    try:
        parameters = inspect.signature(kind).parameters
    except (ValueError, TypeError):
        return {}
    unnamed = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: each for name, each in parameters.items() if each.kind not in unnamed}


def _constructor_of(loss: Any) -> Constructor | None:
    """How an instance was made, as far as it shows; None where it does not."""
    settings: dict[str, Any] = {}
    for name, each in _arguments(type(loss)).items():
        value = _remembered(loss, name)
        if name in _SKIPPED and not (name == "dtype" and value not in (None, "float32", each.empty)):
            continue
        if value is not each.empty:
            settings[name] = value
        elif each.default is not None:
            return None
    return _constructor(type(loss), settings)


def _remembered(loss: Any, name: str) -> Any:
    """The argument that an object was made with, where it is kept under its own name."""
    for held in (vars(loss) if hasattr(loss, "__dict__") else {}, getattr(loss, "_fn_kwargs", {})):
        for key in (name, f"_{name}"):
            if key in held:
                return held[key]
    return getattr(loss, name, inspect.Parameter.empty)


def _constructor(kind: type, settings: dict[str, Any]) -> Constructor:
    _, public = _home(kind)
    reduction = "reduction" if "reduction" in settings else None
    reductions = {"mean": "mean", "sum": "sum", "none": "none"}
    if framework_class(kind) == "keras":
        reductions["mean"] = "sum_over_batch_size"
    present = conventions.reduction(settings.get("reduction", ""))
    if present is not None:
        reductions[present] = settings["reduction"]
    return Constructor(kind, settings, public or kind.__name__, reduction, reductions if reduction and present else {})


def _instance(loss: Any, constructor: Constructor | None) -> Candidate:
    kind = type(loss)
    family = framework_class(kind)
    call = {"torch": "forward", "keras": "call"}.get(family or "", "__call__")
    parameters = _parameters(getattr(loss, call))
    if family == "keras" and all(each.name != "sample_weight" for each in parameters):
        weight = inspect.Parameter("sample_weight", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None)
        parameters = (*parameters, weight)
    defaults = {each.name: each.default for each in parameters if each.default is not inspect.Parameter.empty}
    settings = dict(constructor.settings) if constructor is not None else {}
    kept = {} if constructor is not None else {k: v for k, v in _state(loss).items() if not k.startswith("_")}
    module, public = _home(kind)
    source = "" if constructor is None else constructor.written()
    arguments = source.partition("(")[2].removesuffix(")")
    path, line = place(kind)
    return Candidate(
        name=f"{kind.__name__}({arguments})" if arguments else kind.__name__,
        loss=loss,
        host=family or _host(vars(kind).get("__call__", kind)),
        kind={"torch": "module", "keras": "loss"}.get(family or "", "object"),
        parameters=parameters,
        word=kind.__name__ if kind.__name__ != "LossFunctionWrapper" else str(getattr(loss, "name", "")),
        public=public if _root(kind) in conventions.HOSTS else "",
        options=defaults | kept | settings,
        constructor=constructor,
        source=source or "loss",
        imports=_import(module, public, kind.__name__) if source else "",
        path=path,
        line=line,
    )


def _state(loss: Any) -> dict[str, Any]:
    return {
        name: value
        for name, value in (vars(loss) if hasattr(loss, "__dict__") else {}).items()
        if isinstance(value, int | float | str) and name != "training"
    }


def framework_class(kind: type) -> str | None:
    """ "torch" for a module, "keras" for a Keras loss; no framework is imported to find out."""
    torch, keras = sys.modules.get("torch.nn"), sys.modules.get("keras")
    if torch is not None and issubclass(kind, torch.Module):
        return "torch"
    if keras is not None and issubclass(kind, keras.losses.Loss):
        return "keras"
    return None


# ── lossary's own, and Keras' names ──────────────────────────────────────────────────────────────────────────────────


def _of_lossary(loss: Any) -> Candidate | None:
    """One of lossary's losses, or one of the hosts that it is at home in; None for anybody else's."""
    if isinstance(loss, Loss | Objective):
        return _definition(loss)
    for host, base in (("torch", "LossModule"), ("keras", "KerasLoss"), ("jax", "LossFunction")):
        home = sys.modules.get(f"lossary.{host}")
        if home is not None and isinstance(loss, getattr(home, base)):
            return _hosted(loss, host)
    return None


def _definition(loss: Loss | Objective) -> Candidate:
    both = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("prediction", "target")]
    more = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None) for name in ("weight", "where")]
    reduction = inspect.Parameter("reduction", inspect.Parameter.KEYWORD_ONLY, default="mean")
    source, imports = spelled(loss)
    settings = loss.settings if isinstance(loss, Loss) else {}
    path, line = place(type(loss))
    return Candidate(
        name=repr(loss),
        loss=loss,
        host="lossary",
        kind="loss",
        parameters=(*both, *more, reduction),
        word=type(loss).__name__,
        options={"reduction": "mean", **settings},
        definition=loss,
        constructor=Constructor(type(loss), settings, source.partition("(")[0]) if isinstance(loss, Loss) else None,
        source=source,
        imports=imports,
        path=path,
        line=line,
    )


def spelled(loss: Loss | Objective) -> tuple[str, str]:
    """A lossary loss as an expression, and the statement that makes it known."""
    terms = loss.losses if isinstance(loss, Objective) else (loss,)
    statements = []
    for term in terms:
        module = type(term).__module__
        statements.append(f"from {'lossary' if module.startswith('lossary.') else module} import {type(term).__name__}")
    if isinstance(loss, Loss) and type(loss).__module__.startswith("lossary."):
        return f"lossary.{loss!r}", "import lossary"
    written = repr(loss) if isinstance(loss, Loss) else f"({loss!r})"
    return written, "; ".join(dict.fromkeys(statements))


def _hosted(loss: Any, host: str) -> Candidate:
    """A loss of lossary at home in a framework."""
    definition = loss.loss
    options = {name: getattr(loss, name) for name in _HOSTED[host] if getattr(loss, name, None) is not None}
    if options.get("class_axis") == (1 if definition.task == "multiclass" else -1):
        del options["class_axis"]  # the usual one
    settings = {**(definition.settings if isinstance(definition, Loss) else {}), **options}
    expression, imports = spelled(definition)
    defaults = _arguments(type(loss))
    usual = {"ignore_index": -100} | {
        k: default.default for k, default in defaults.items() if default.default is not None
    }
    arguments = [f"{k}={v!r}" for k, v in options.items() if k not in usual or usual[k] != v]
    if isinstance(definition, Loss) and expression.startswith("lossary."):
        opened = f"lossary.{host}.{type(definition).__name__}"
        flags = {"from_logits": definition.settings["from_logits"]} if "from_logits" in definition.settings else {}
        inside = expression.partition("(")[2].removesuffix(")")
        first = [inside] if inside else []
        first += [f"{k}={v!r}" for k, v in flags.items() if host == "keras" and f"{k}=" not in inside]
        source = f"{opened}({', '.join([*first, *arguments])})"
    else:
        opened = f"{expression}.{host}"
        source = f"{opened}({', '.join(arguments)})"
    reduction = options.get("reduction")
    reductions = {"mean": "sum_over_batch_size" if host == "keras" else "mean", "sum": "sum", "none": "none"}
    if reduction is not None:
        reductions[str(conventions.reduction(reduction))] = reduction
    make: Callable[..., Any] = (
        type(loss) if isinstance(definition, Loss) else functools.partial(_remade, definition, host)
    )
    constructor = Constructor(
        make, settings, opened, "reduction" if reduction else None, reductions if reduction else {}
    )
    path, line = place(type(definition))
    return Candidate(
        name=source,
        loss=loss,
        host=host,
        kind={"torch": "module", "keras": "loss", "jax": "function"}[host] + " of lossary",
        parameters=_parameters(loss.forward if host == "torch" else loss.__call__),
        word=type(definition).__name__,
        options={**settings, "class_axis": getattr(loss, "class_axis", -1)},
        definition=definition,
        constructor=constructor,
        source=source,
        imports=imports,
        path=path,
        line=line,
    )


# The options of lossary's hosts that are kept, beside the loss's own settings.
_HOSTED = {
    "torch": ("reduction", "class_axis", "ignore_index", "validate"),
    "keras": ("reduction", "ignore_class", "validate"),
    "jax": ("validate",),
}


def _remade(objective: Objective, host: str, **options: Any) -> Any:
    return getattr(objective, host)(**options)


def _of_keras_name(name: str) -> Candidate:
    try:
        import keras
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"a loss called {name!r} is looked for in Keras, which is not installed.",
            hint="pip install 'lossary[keras]', or give the function itself.",
        ) from error
    try:
        loss = keras.losses.get(name)
    except ValueError:
        loss = None
    if loss is None:
        raise UnknownNameError(f"Keras has no loss {name!r}.", hint="give the function itself, or its class.")
    candidate = candidate_of(loss, "keras")
    return dataclasses.replace(candidate, name=name, source=f"keras.losses.get({name!r})", imports="import keras")


# ── where it comes from ──────────────────────────────────────────────────────────────────────────────────────────────


def _root(thing: Any) -> str:
    return str(getattr(thing, "__module__", "") or "").partition(".")[0]


def _home(thing: Any) -> tuple[str, str]:
    """The shortest public module that has it, and its dotted name there for a framework's own, else its plain name."""
    name, module = getattr(thing, "__qualname__", ""), str(getattr(thing, "__module__", "") or "")
    parts = [part for part in module.split(".") if part != "src"]
    for count in range(1, len(parts) + 1):
        shorter = ".".join(parts[:count])
        if getattr(sys.modules.get(shorter), name, None) is thing and not parts[count - 1].startswith("_"):
            return shorter, f"{shorter}.{name}" if parts[0] in conventions.HOSTS else name
    return module, name if name.isidentifier() else ""


def _import(module: str, public: str, name: str) -> str:
    """The statement that makes a loss known; "" where none can."""
    if "." in public:
        return "" if public.startswith("torch.") else f"import {public.rpartition('.')[0]}"
    importable = module not in ("", "__main__", "builtins") and hasattr(sys.modules.get(module), name)
    return f"from {module} import {name}" if importable else ""


def place(thing: Any) -> tuple[str, int]:
    """The file and line where it is written; ("", 0) where there is no file."""
    thing = inspect.unwrap(getattr(thing, "python_function", thing))
    if isinstance(thing, type):
        module = sys.modules.get(thing.__module__)
        path = getattr(module, "__file__", None) or ""
        lines = linecache.getlines(path) if path.endswith(".py") else []
        opened = f"class {thing.__name__}"
        matches = (k for k, text in enumerate(lines, 1) if text.lstrip().startswith((f"{opened}(", f"{opened}:")))
        return _near(path), next(matches, 0)
    code = getattr(thing, "__code__", None)
    if code is None or not Path(code.co_filename).is_file():
        return "", 0
    return _near(code.co_filename), code.co_firstlineno


def _near(path: str) -> str:
    """A path as it is written from here, where it is below; else from where Python finds it."""
    if not path or not os.path.relpath(path).startswith(".."):
        return Path(os.path.relpath(path)).as_posix() if path else ""
    homes = [home for home in sys.path if home and Path(path).is_relative_to(home)]
    return Path(path).relative_to(max(homes, key=len)).as_posix() if homes else path


# ── which framework it is written in ─────────────────────────────────────────────────────────────────────────────────


def _host(function: Any) -> str | None:
    """The framework that a function is written in: its own, else what its code uses, else what its file imports."""
    function = inspect.unwrap(getattr(function, "python_function", function))
    if _root(function) in conventions.HOSTS:
        return conventions.HOSTS[_root(function)]
    waiting = collections.deque([(function, 0)])
    seen: set[int] = set()
    weak = None
    while waiting:
        each, depth = waiting.popleft()
        if id(each) in seen or depth > 3:
            continue
        seen.add(id(each))
        for used in _used(each):
            root = used.partition(".")[0] if isinstance(used, str) else _origin(used)
            host = conventions.HOSTS.get(root)
            if host == "numpy":
                weak = weak or host
            elif host is not None:
                return host
            elif hasattr(used, "__code__"):
                waiting.append((used, depth + 1))
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    tensors = code is not None and _METHODS & {*_names(code)} - {*getattr(function, "__globals__", ())}
    return weak or ("torch" if tensors else None) or _of_module(function)


def _used(function: Any) -> Iterator[Any]:
    """What a function's code refers to: objects, and the names of modules that it imports by itself."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if code is None:
        return
    namespace = getattr(function, "__globals__", {})
    for cell in getattr(function, "__closure__", None) or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for annotation in getattr(function, "__annotations__", {}).values():
        first = annotation.partition(".")[0] if isinstance(annotation, str) else annotation
        yield namespace.get(first, first) if isinstance(first, str) else first
    for name in _names(code):
        yield namespace.get(name, name)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield from _names(each)


def _origin(thing: Any) -> str:
    """The package that an object comes from."""
    if isinstance(thing, ModuleType):
        return thing.__name__.partition(".")[0]
    return _root(thing) or _root(type(thing))


def _of_module(function: Any) -> str | None:
    """The framework that the function's file imports, where it is one."""
    values = getattr(function, "__globals__", {}).values()
    roots = {_origin(each) for each in values if isinstance(each, ModuleType)}
    hosts = {conventions.HOSTS[root] for root in roots if root in conventions.HOSTS}
    return next(iter(hosts)) if len(hosts) == 1 else next(iter(hosts - {"numpy"}), None) if len(hosts) == 2 else None
