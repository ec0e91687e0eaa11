# Two commands matter: `make up` and `make test`. Everything else is in `make help`.
PYTHON ?= python3
BIN := .venv/bin
SOURCES := $(shell find frontend -type f -not -path '*/node_modules/*' 2>/dev/null)
LOCKS := requirements/build.txt deploy/bootstrap.sh
# A developer's environment holds all that running needs; so `make up` takes it when it is there.
READY := $(if $(wildcard .venv/.dev),.venv/.dev,.venv/.portal) .venv/.package src/belvedere/web/static/manifest.json
DEV := .venv/.dev .venv/.package src/belvedere/web/static/manifest.json
# More workers than processors: half of a test's time it waits, for a server, a browser or a program that it started.
WORKERS ?= 4
# Tests start hundreds of programs, and each would compile all of Belvedere anew.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help install up test test-crash test-contract bench lint docs lock reset clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(READY) ## install what running needs; nothing is started

up: $(READY) ## install what is missing and start everything; Ctrl-C stops it
	@exec $(BIN)/belvedere up

test: $(DEV) ## install what is missing and run all tests
	@exec $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-crash: $(DEV) ## die at every failpoint in turn, start again, and check that nothing is lost or doubled
	@BELVEDERE_CRASH=all exec $(BIN)/pytest -n $(WORKERS) tests/crash $$(grep -rl BELVEDERE_FAILPOINT tests/unit)

test-contract: $(DEV) ## run each port's suite on its twin, and on the real service whose BELVEDERE_TEST_*_URL is given
	@exec $(BIN)/pytest -m contract

bench: $(DEV) ## measure what the product promises to be fast at, against what it replaces
	@exec $(BIN)/python bench/run.py

lint: $(DEV) ## ruff, strict types, layers
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(DEV) ## write docs/reference anew from the code
	@exec $(BIN)/python docs/generate.py

lock: ## write requirements/*.txt anew from pyproject.toml
	@.venv/bin/python -m pip install -q uv
	@set -e; compile() { .venv/bin/uv pip compile -q pyproject.toml "$$@" --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock"; }; \
	  compile --extra portal --extra embedded -o requirements/portal.txt; \
	  compile --extra portal --extra embedded --group dev -o requirements/dev.txt; \
	  .venv/bin/uv pip compile -q --group build --universal --python-version 3.11 --upgrade --generate-hashes \
	  --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o requirements/build.txt

reset: $(READY) ## delete all state of this checkout's installation, after asking
	@exec $(BIN)/belvedere reset

clean: ## delete what was installed and built; the home stays
	@rm -rf .venv frontend/node_modules src/belvedere/web/static .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/.portal: requirements/portal.txt $(LOCKS)
	@PYTHON=$(PYTHON) sh deploy/bootstrap.sh portal

.venv/.dev: requirements/dev.txt $(LOCKS)
	@PYTHON=$(PYTHON) sh deploy/bootstrap.sh dev

.venv/.package: pyproject.toml hatch_build.py | $(firstword $(READY))
	@echo "installing Belvedere and bundling its pages"
	@$(BIN)/python -m pip install -q --no-deps --no-build-isolation --disable-pip-version-check -e . && touch $@

src/belvedere/web/static/manifest.json: $(SOURCES) .venv/.package
	@$(BIN)/python hatch_build.py && touch $@
