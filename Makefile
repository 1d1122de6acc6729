# The only doors, for people and for CI alike. Each makes what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test test-thorough test-cost faults test-minimum lint accuracy oracle bench trip scoreboard evaluate-suggest index format clean

demo: .venv/installed-compare  ## the main job on real data: which loss serves you best?
	$(BIN)/lossary compare engel

# A worker runs neighbours in a file, which share what is compiled, and takes over what the other has left at the end.
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

test: .venv/installed-dev  ## every test but the thorough ones, in all four frameworks
	$(PYTEST)

test-thorough: .venv/installed-dev  ## the whole product of cases
	$(PYTEST) -m "thorough or not thorough"

test-cost: .venv/installed-dev  ## what one more loss costs the suite
	$(BIN)/python -m tests.cost -n 2 --dist worksteal

faults: .venv/installed-dev  ## plant faults, one for each kind of law, and see that the tests find them
	$(BIN)/python -m tests.faults

THREE_LOSSES := -k "Huber or BinaryCrossEntropy or SparseCategorical"
LAWS := -m pytest -q -p no:cacheprovider tests/losses/test_laws.py $(THREE_LOSSES) --frameworks
COMMANDS := tests/check/test_check_command.py tests/compare/test_compare_command.py tests/docs/test_list.py

test-minimum: $(addprefix .venv-minimum/installed-,fast torch keras jax cli)  ## the laws of three losses, and the command line, at the lower bounds of pyproject.toml
	.venv-minimum/fast/bin/python $(LAWS) numpy
	.venv-minimum/torch/bin/python $(LAWS) torch
	.venv-minimum/keras/bin/python $(LAWS) tensorflow
	KERAS_BACKEND=tensorflow .venv-minimum/keras/bin/python -m pytest -q --noconftest -p no:cacheprovider tests/adapters/keras_cases.py $(THREE_LOSSES)
	.venv-minimum/jax/bin/python $(LAWS) jax
	.venv-minimum/cli/bin/python -m pytest -q -p no:cacheprovider $(COMMANDS) -k "not keras and not torch"

.venv-minimum/installed-keras: EXTRAS := keras tensorflow cli
.venv-minimum/installed-%: EXTRAS = $*
.venv-minimum/installed-%: $(SOURCES) scripts/minimum.py
	$(PYTHON) -m venv .venv-minimum/$*
	.venv-minimum/$*/bin/python -m pip install --quiet --disable-pip-version-check --editable . pytest jsonschema $$($(PYTHON) scripts/minimum.py $(EXTRAS))
	@touch $@

lint: .venv/installed-dev  ## style, types, and nothing generated is stale
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy $$(git ls-files 'src/*.py' 'scripts/*.py')
	$(BIN)/mypy $$(git ls-files 'src/*.pyi')
	$(BIN)/python scripts/make_index.py --check
	$(BIN)/python scripts/make_catalogue.py --check
	$(BIN)/python scripts/make_rules.py --check

index: .venv/installed-dev  ## rewrite what is generated from the catalogue and the rules, and the screens in the docs
	$(BIN)/python scripts/make_index.py
	$(BIN)/python scripts/make_catalogue.py
	$(BIN)/python scripts/make_rules.py
	$(BIN)/python scripts/make_screens.py

accuracy: .venv/installed-dev  ## measure every word and every loss against the exact judge; writes docs/accuracy.md
	$(BIN)/python -m tests.accuracy

oracle: .venv/installed-dev  ## judge anew the exact answers that tests compare with; writes tests/accuracy/recorded
	$(BIN)/python -m tests.accuracy.judge

bench: .venv/installed-dev  ## lossary beside its peers: time and peak memory; writes docs/performance.md
	$(BIN)/python -m benchmarks
	$(BIN)/python benchmarks/stacked_training.py

trip: .venv/installed-dev  ## follow a call to its number: which function calls which, in which file
	$(BIN)/python -m benchmarks.trip --tree

scoreboard: .venv/installed-dev  ## what the rules of `lossary check` find in PyTorch, Keras, optax and scikit-learn; writes docs/scoreboard.md
	$(BIN)/python scripts/make_scoreboard.py

evaluate-suggest: .venv/installed-dev  ## how often is what `suggest` ranks first the best? writes docs/suggest-evaluation.md
	$(BIN)/python scripts/evaluate_suggest.py

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-minimum build dist .pytest_cache .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed-%: .venv/bin/python $(SOURCES)
	$(PIP) --editable ".[$*]"
	@touch $@
