# surveil: `make demo` and `make test` set everything up and run; nothing else has to be installed.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run
DEV    := $(VENV)/.dev
BOOT   := $(VENV)-boot
JOBS   ?= 2
PREFIX ?= /opt/surveil
# Some containers set it: every process that the tests start would compile the package anew.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: deb soak help demo test test-unit coverage check bench bench-normality gpu-check dev install uninstall clean format docs system-test

# What is asked of this machine comes first: a condition is decided where make reads it.
# The pins hold for CPython 3.11 to 3.13 on x86-64 Linux; elsewhere pip resolves what pyproject.toml asks for.
PINNED := $(shell $(PYTHON) -c 'import platform, sys; print(int(sys.implementation.name == "cpython" and (3, 11) <= sys.version_info[:2] <= (3, 13) and platform.machine() == "x86_64" and sys.platform == "linux"))')
HAS_GPU := $(shell $(PYTHON) -c 'import importlib.metadata as m, os, platform; print(int(platform.machine() == "x86_64" and (any(map(os.path.exists, ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"))) or any(m.distributions(name="onnxruntime-gpu")))))')
# GPU=1 takes ONNX Runtime's GPU build (some 260 MB more), GPU=0 its CPU build; by default the GPU build where this
# machine has a driver, or this Python that build.
GPU    ?= $(if $(filter 1,$(HAS_GPU)),1,0)
ifeq ($(filter 0 1,$(GPU)),)
$(error GPU must be 0 or 1, not '$(GPU)')
endif
LIST   := requirements/$(if $(filter 1,$(GPU)),gpu,run).txt
PIP    := -m pip -q --disable-pip-version-check

# $(call put,PYTHON,WHAT): install surveil with that Python's pip; WHAT is `.` or `-e .`.
# The two builds of ONNX Runtime write the same package: the other one goes first.
define put
$(1) $(PIP) uninstall -y onnxruntime$(if $(filter 0,$(GPU)),-gpu) 2>/dev/null
$(if $(filter 1,$(PINNED)),$(call put-pinned,$(1),$(2)),$(call put-resolved,$(1),$(2)))
endef

# The build runs on pinned packages, too, which are not kept; with PIP_NO_BUILD_ISOLATION on those that are there.
define put-pinned
$(1) $(PIP) install --require-hashes -r $(LIST)
$(if $(PIP_NO_BUILD_ISOLATION),$(1) $(PIP) install --no-deps --force-reinstall $(2),$(call put-built,$(1),$(2)))
endef

define put-built
rm -rf $(VENV)-build
$(1) $(PIP) install --require-hashes --target $(VENV)-build -r requirements/build.txt
$(1) $(PIP) install --require-hashes --no-deps --target $(VENV)-build -r requirements/carriers.txt
PYTHONPATH=$(abspath $(VENV)-build) $(1) $(PIP) install --no-deps --no-build-isolation --force-reinstall $(2)
rm -rf $(VENV)-build
endef

define put-resolved
$(1) $(PIP) install $(2)
$(if $(filter 1,$(GPU)),$(1) $(PIP) uninstall -y onnxruntime onnxruntime-gpu && $(1) $(PIP) install 'onnxruntime-gpu>=1.31')
endef

help: ## Show the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

demo: $(RUN) ## Watch a drawn yard for a minute: RTSP, detector, alerts, webhook, console; KEEP=1: until Ctrl-C
	$(BIN)/surveil demo $(if $(KEEP),--keep)

test: $(DEV) ## Run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile

test-unit: $(DEV) ## Run the tests that need neither server nor camera nor model
	$(BIN)/python -m pytest -m unit -n $(JOBS) --dist loadfile

coverage: $(DEV) ## Run the tests and measure the branches they take: 95 % of the heart, 85 % of all
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -n $(JOBS) --dist loadfile
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m tests.branches

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
	$(call put,$(DESTDIR)$(PREFIX)/bin/python,.)
	sed -i '1s|^#!$(DESTDIR)$(PREFIX)/|#!$(PREFIX)/|' $(DESTDIR)$(PREFIX)/bin/surveil
	$(DESTDIR)$(PREFIX)/bin/python -m surveil install --systemd --program $(PREFIX)/bin/surveil --destdir "$(or $(DESTDIR),/)"

# Fits the Debian that builds it. Needs python3-venv and binutils; root is not needed.
deb: ## Build the Debian package into dist/
	packaging/deb/build.sh dist

uninstall: ## Stop the service and remove what install wrote; configuration, alerts and pictures stay
	test ! -x $(DESTDIR)$(PREFIX)/bin/python || \
	  $(DESTDIR)$(PREFIX)/bin/python -m surveil uninstall --program $(PREFIX)/bin/surveil --destdir "$(or $(DESTDIR),/)"
	test ! -e $(DESTDIR)$(PREFIX)/pyvenv.cfg || rm -rf $(DESTDIR)$(PREFIX)

gpu-check: $(DEV) ## Prove that CUDA is used and agrees with the CPU
	$(BIN)/python -m benchmarks.gpu_check

dev: $(DEV) ## Set up for development

format: $(DEV) ## Format and apply automatic fixes
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# As root, with buildah, mmdebstrap and systemd-container; needs the network. Some 20 minutes each.
system-test: $(DEV) ## Build and start the image; follow docs/install.md on fresh Debian 12 and 13; try package and wheel; test on other Pythons
	tests/system/image.sh
	$(BIN)/python -m tests.system.debian bookworm
	$(BIN)/python -m tests.system.debian trixie
	$(BIN)/python -m tests.system.package bookworm
	$(BIN)/python -m tests.system.package trixie
	tests/system/wheel.sh
	tests/system/pythons.sh
	$(BIN)/python -m tests.system.fleet --policy stop
	$(BIN)/python -m tests.system.fleet --policy watch

soak: $(DEV) ## Let cameras, sinks, disk and daemon fail at random for HOURS (24); the report is soak.html
	$(BIN)/python -m tests.system.soak --hours $(or $(HOURS),24)

docs: $(DEV) ## Generate configuration, metrics and dashboard pages
	$(BIN)/surveil schema --as yaml > config.yaml
	$(BIN)/surveil schema --as markdown > docs/configuration.md
	$(BIN)/surveil schema --as metrics > docs/metrics.md
	$(BIN)/python -m dashboards
	sed -f systemd/instance.sed systemd/surveil.service > systemd/surveil@.service

clean: ## Remove the environment and caches
	rm -rf $(VENV) $(VENV)-build $(BOOT) build dist .mypy_cache .ruff_cache .pytest_cache

# Debian's Python may lack venv: virtualenv does the same, where pip is there; else say what to install.
$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "surveil needs Python 3.11 or newer; set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null && $(BIN)/python -m pip --version >/dev/null 2>&1 || \
	  { rm -rf $(VENV); $(PYTHON) -m virtualenv -q $(VENV) 2>/dev/null; } || \
	  { rm -rf $(VENV) $(BOOT); $(PYTHON) -m pip install -q --target $(BOOT) virtualenv 2>/dev/null \
	    && PYTHONPATH=$(BOOT) $(PYTHON) -m virtualenv -q $(VENV) && rm -rf $(BOOT); } || \
	  { rm -rf $(VENV) $(BOOT); echo "this Python can make no virtual environment: apt-get install python3-venv" >&2; exit 1; }

$(RUN): $(BIN)/python $(LIST) requirements/build.txt requirements/carriers.txt pyproject.toml hatch_build.py $(wildcard model_build/*.py)
	@echo "installing surveil into $(VENV) ($(if $(filter 1,$(GPU)),some 900 MB,some 640 MB), a few minutes)"
	$(call put,$(BIN)/python,-e .)
	@touch $@

$(DEV): $(RUN) requirements/dev.txt requirements/carriers.txt
ifeq ($(PINNED),1)
	$(BIN)/python $(PIP) install --require-hashes -r requirements/dev.txt
else
	$(BIN)/python $(PIP) install 'pip>=25.1'
	$(BIN)/python $(PIP) install --group dev
endif
	$(BIN)/python $(PIP) install --require-hashes --no-deps -r requirements/carriers.txt
	@touch $@
