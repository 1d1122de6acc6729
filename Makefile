# The only doors, for people and for CI alike. Each makes what it needs in .venv.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
SOURCES := pyproject.toml constraints.txt

.PHONY: demo test test-thorough lint accuracy bench scoreboard evaluate-suggest index format clean

demo: .venv/installed-compare  ## the main job on real data: which loss serves you best?
	$(BIN)/lossary compare engel

test: .venv/installed-dev  ## every test but the thorough ones, in all four frameworks
	$(BIN)/python -m pytest -n 2

test-thorough: .venv/installed-dev  ## the whole product of cases
	$(BIN)/python -m pytest -n 2 -m "thorough or not thorough"

lint: .venv/installed-dev  ## style, types, and nothing generated is stale
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $$(git ls-files 'src/*.py' 'scripts/*.py')
	$(BIN)/mypy $$(git ls-files 'src/*.pyi')
	$(BIN)/python scripts/make_index.py --check
	$(BIN)/python scripts/make_catalogue.py --check
	$(BIN)/python scripts/make_rules.py --check

index: .venv/installed-dev  ## rewrite what is generated from the catalogue and the rules
	$(BIN)/python scripts/make_index.py
	$(BIN)/python scripts/make_catalogue.py
	$(BIN)/python scripts/make_rules.py

accuracy: .venv/installed-dev  ## measure every word and every loss against the exact judge; writes docs/accuracy.md
	$(BIN)/python -m tests.accuracy

bench: .venv/installed-dev  ## lossary beside its peers: time and peak memory; writes docs/performance.md
	$(BIN)/python -m benchmarks
	$(BIN)/python benchmarks/stacked_training.py

scoreboard: .venv/installed-dev  ## what the rules of `lossary check` find in PyTorch, Keras, optax and scikit-learn; writes docs/scoreboard.md
	$(BIN)/python scripts/make_scoreboard.py

evaluate-suggest: .venv/installed-dev  ## how often is what `suggest` ranks first the best? writes docs/suggest-evaluation.md
	$(BIN)/python scripts/evaluate_suggest.py

format: .venv/installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed-%: .venv/bin/python $(SOURCES)
	$(PIP) --editable ".[$*]"
	@touch $@
