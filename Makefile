# surveil: `make demo` and `make test` set everything up and run; nothing else has to be installed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run
DEV    := $(VENV)/.dev
BOOT   := $(VENV)-boot
JOBS   ?= 2
PREFIX ?= /opt/surveil
.DEFAULT_GOAL := help
.PHONY: help demo test check bench bench-normality gpu-check dev install uninstall clean format docs

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: $(RUN) ## Watch a drawn yard for a minute: RTSP, detector, alerts, webhook, metrics
	$(BIN)/surveil demo

test: $(DEV) ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

check: $(DEV) ## Run what CI checks: format, lint, types, imports, generated files
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@$(BIN)/surveil schema --as yaml | diff -u config.yaml - && \
	  $(BIN)/surveil schema --as markdown | diff -u docs/configuration.md - && \
	  $(BIN)/surveil schema --as metrics | diff -u docs/metrics.md - && \
	  $(BIN)/python -m dashboards --check && \
	  sed -f systemd/instance.sed systemd/surveil.service | diff -u systemd/surveil@.service - || \
	  { echo "generated pages are out of date: run make docs" >&2; exit 1; }

bench: $(DEV) ## Print the benchmark tables
	$(BIN)/python -m benchmarks

bench-normality: $(DEV) ## Print the table of learned normality
	$(BIN)/python -m benchmarks.normality
	$(BIN)/python -m benchmarks.planted
	$(BIN)/python -m benchmarks.normality_cpu

# As root. PYTHON must lie where the service sees it: not below /root or /home.
install: ## Install into PREFIX (/opt/surveil) with user, units and /etc/surveil; DESTDIR stages a package
	$(MAKE) VENV=$(DESTDIR)$(PREFIX) $(DESTDIR)$(PREFIX)/bin/python
ifeq ($(PINNED),1)
	$(DESTDIR)$(PREFIX)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(DESTDIR)$(PREFIX)/bin/python -m pip install -q --disable-pip-version-check --no-deps --force-reinstall .
else
	$(DESTDIR)$(PREFIX)/bin/python -m pip install -q --disable-pip-version-check .
endif
	sed -i '1s|^#!$(DESTDIR)$(PREFIX)/|#!$(PREFIX)/|' $(DESTDIR)$(PREFIX)/bin/surveil
	$(DESTDIR)$(PREFIX)/bin/python -m surveil install --systemd --program $(PREFIX)/bin/surveil --destdir "$(or $(DESTDIR),/)"

uninstall: ## Stop the service and remove what install wrote; configuration, alerts and pictures stay
	test ! -x $(DESTDIR)$(PREFIX)/bin/python || \
	  $(DESTDIR)$(PREFIX)/bin/python -m surveil uninstall --program $(PREFIX)/bin/surveil --destdir "$(or $(DESTDIR),/)"
	test ! -e $(DESTDIR)$(PREFIX)/pyvenv.cfg || rm -rf $(DESTDIR)$(PREFIX)

gpu-check: $(DEV) ## Prove that CUDA is used and agrees with the CPU
	$(BIN)/python -m benchmarks.gpu_check

dev: $(DEV) ## Set up for development

format: $(DEV) ## Format and mend what can be mended
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(DEV) ## Write the generated pages anew
	$(BIN)/surveil schema --as yaml > config.yaml
	$(BIN)/surveil schema --as markdown > docs/configuration.md
	$(BIN)/surveil schema --as metrics > docs/metrics.md
	$(BIN)/python -m dashboards
	sed -f systemd/instance.sed systemd/surveil.service > systemd/surveil@.service

clean: ## Remove the environment and caches
	rm -rf $(VENV) $(BOOT) build dist .mypy_cache .ruff_cache .pytest_cache

# Debian's Python may lack venv: virtualenv does the same, where pip is there; else say what to install.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "surveil needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null && $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	  { rm -rf $(VENV); $(PYTHON) -m virtualenv -q $(VENV) 2>/dev/null; } || \
	  { rm -rf $(VENV) $(BOOT); $(PYTHON) -m pip install -q --target $(BOOT) virtualenv 2>/dev/null \
	    && PYTHONPATH=$(BOOT) $(PYTHON) -m virtualenv -q $(VENV) && rm -rf $(BOOT); } || \
	  { rm -rf $(VENV) $(BOOT); echo "this Python can make no virtual environment: apt-get install python3-venv" >&2; exit 1; }

# The pins hold for Python 3.11 on x86-64 Linux; elsewhere pip resolves what pyproject.toml asks for.
PINNED := $(shell $(PYTHON) -c 'import platform, sys; print(int(sys.version_info[:2] == (3, 11) and platform.machine() == "x86_64" and sys.platform == "linux"))')

$(RUN): $(BIN)/python requirements/run.txt pyproject.toml hatch_build.py $(wildcard model_build/*.py)
	@echo "installing surveil into $(VENV) (some 500 MB, a few minutes)"
ifeq ($(PINNED),1)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps -e .
else
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
endif
	@touch $@

$(DEV): $(RUN) requirements/dev.txt
ifeq ($(PINNED),1)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/dev.txt
else
	$(BIN)/python -m pip install -q --disable-pip-version-check --group dev
endif
	@touch $@
