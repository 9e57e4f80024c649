# The commands of this project; `make help` lists them. The work is done in packaging/ and demo/.

PYTHON ?= /usr/bin/python3
PREFIX ?= /usr/local
DESTDIR ?=

VENV := .venv
CLIENTS_VENV := .venv-clients
RUNTIME := build/pyoci
RUN_PYTHON = $(PYTHON) -EsB

.DEFAULT_GOAL := help
.PHONY: help demo test test-fast lint build install uninstall deps bench clean check-python \
	conformance conformance-spec conformance-spec-pyoci conformance-spec-runc conformance-spec-crun \
	conformance-runtime-tools fuzz guest-image test-guest test-clients \
	test-clients-strict test-clients-guest

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 34
	@echo '  Variables: PYTHON=$(PYTHON) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'

demo: ## as root: build a busybox bundle and run it (installs what is missing)
	@packaging/dependencies.sh demo
	@$(MAKE) --no-print-directory build
	@demo/run.sh $(RUNTIME)

test: ## as root: every level this machine can run (installs what is missing)
	@packaging/dependencies.sh test
	@packaging/docker-profile.sh
	@$(MAKE) --no-print-directory build $(VENV)/complete
	@$(VENV)/bin/python -B packaging/run_tests.py --production $(PYTHON)

guest-image: ## as root: the image of the guests, built once per machine (a minute)
	@packaging/dependencies.sh guest
	@$(PYTHON) -B -m conformance.guest --build

# The guests have Debian's interpreter, so what runs in them is built for that.
test-guest: guest-image $(VENV)/complete ## as root: what needs cgroup controllers, all capabilities or systemd
	@/usr/bin/python3 -EsB packaging/build.py --output build/guest
	@$(VENV)/bin/python -B -m conformance.guest.suite --runtime build/guest/pyoci

test-clients: $(CLIENTS_VENV)/complete ## as root: containerd, the CRI, Podman, Docker and conmon drive pyoci, and runc
	@packaging/dependencies.sh clients
	@$(MAKE) --no-print-directory build
	@$(CLIENTS_VENV)/bin/python -B -m tests.clients.view \
		$(CLIENTS_VENV)/bin/python -B -m pytest -q -p no:cacheprovider -m clients tests/clients

test-clients-strict: export PYOCI_CLIENTS_STRICT = 1
test-clients-strict: test-clients ## the same on pyoci alone, its Python giving every warning: there is none

# The guests have Debian's interpreter: the libraries must be for that one, too.
test-clients-guest: $(CLIENTS_VENV)/complete ## as root: part of it under systemd, with limits
	@packaging/dependencies.sh guest
	@/usr/bin/python3 -EsB packaging/build.py --output build/guest
	@$(CLIENTS_VENV)/bin/python -B -m tests.clients.guest --runtime build/guest/pyoci \
		--libraries "$$(echo $(CLIENTS_VENV)/lib/python3.*/site-packages)"

test-fast: $(VENV)/complete ## what needs no root, in seconds
	$(VENV)/bin/python -m pytest -q

fuzz: $(VENV)/complete ## random input for what reads input: TARGETS="config state", SECONDS=60 for each
	@$(VENV)/bin/python -B -m tests.fuzz.main $(or $(TARGETS),all) --seconds $(or $(SECONDS),60)

lint: $(VENV)/complete ## ruff, mypy, import-linter and codespell
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo --no-cache
	$(VENV)/bin/codespell

build: check-python ## build/pyoci, for PYTHON
	@$(RUN_PYTHON) packaging/build.py

install: check-python ## PREFIX/bin/pyoci, its library, manual and completion, for PYTHON
	@$(RUN_PYTHON) packaging/install.py install --prefix '$(PREFIX)' --destdir '$(DESTDIR)'

uninstall: check-python ## take that away again
	@$(RUN_PYTHON) packaging/install.py uninstall --prefix '$(PREFIX)' --destdir '$(DESTDIR)'

check-python:
	@test -x '$(PYTHON)' || { echo 'PYTHON=$(PYTHON): no such interpreter' >&2; exit 1; }

deps: ## as root: the packages that demo and test need, and the tools of lint
	@packaging/dependencies.sh test
	@packaging/docker-profile.sh
	@$(MAKE) --no-print-directory $(VENV)/complete

$(VENV)/complete: packaging/requirements-dev.txt packaging/venv.sh
	@packaging/venv.sh $(PYTHON) $(VENV)

$(CLIENTS_VENV)/complete: packaging/requirements-clients.txt packaging/venv.sh
	@packaging/venv.sh $(PYTHON) $(CLIENTS_VENV) packaging/requirements-clients.txt

conformance: conformance-spec conformance-runtime-tools ## the two suites below

conformance-spec: $(addprefix conformance-spec-,pyoci runc crun) ## the specification's MUST statements, on pyoci, runc and crun

conformance-spec-pyoci: build
	$(PYTHON) -B -m conformance.spec --runtime $(RUNTIME)

conformance-spec-runc conformance-spec-crun: conformance-spec-%:
	$(PYTHON) -B -m conformance.spec --runtime "$$(command -v $*)"

compare-hostile: build $(VENV)/complete ## as root: tests/hostile on pyoci, runc and crun, against the record
	$(VENV)/bin/python -B -m conformance.hostile --write

conformance-runtime-tools: build ## runtime-tools' validation, from RUNTIME_TOOLS=DIR or Go modules
	$(PYTHON) -B -m conformance.runtime_tools --runtime $(RUNTIME)

bench: build ## pyoci against Debian's runc and crun, on an idle machine
	$(PYTHON) -B -m bench

clean: ## remove what these commands made
	rm -rf build .venv .venv-3.* .venv-clients .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
