# make quick       install, then ten claims about digits in a few minutes: results/report.html
# make test        the tests, in six to seven minutes
# make test-all    also those that take longer: SLURM, a run in pieces
# make lint        the linters, and the documentation's links
#
# Versions are those of requirements.lock; `make LOCK= …` takes the newest that pyproject.toml allows.
PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
CORES ?= 2
# of the tests, which wait now and then
WORKERS = $(shell expr $(CORES) + 1)
LOCK = requirements.lock
STAMP = $(VENV)/.installed-$(or $(LOCK),newest)
PYTEST =

.PHONY: quick test test-all lint lock clean-venv

quick: $(STAMP)
	$(BIN)/snakemake --cores $(CORES) --configfile config.quick.yaml

test: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slurm and not long" $(PYTEST)

test-all: $(STAMP)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not slurm" $(PYTEST)
	$(BIN)/python -m pytest -m slurm $(PYTEST)

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules src/pj/cli/template/Snakefile
	$(BIN)/snakemake --lint
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Installed again when the dependencies change.
$(STAMP): pyproject.toml $(LOCK)
	@$(PYTHON) -c 'import os, re, sys; odd = re.findall(r"[^\w./@%+=,-]", os.getcwd()); \
	  sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …" or bool(odd) and \
	  "Snakemake cannot run in a folder with %r in its path: %s; move the clone" % (odd[0], os.getcwd()))'
	@echo "Installing into $(VENV): 6 GB, some minutes"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
ifeq ($(LOCK),)
	$(BIN)/python -m pip install --quiet --editable . --group dev
else
	$(BIN)/python -m pip install --quiet --require-hashes --requirement $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
endif
	rm -f $(VENV)/.installed-*
	touch $@

# The newest versions that pyproject.toml allows, with the hashes of their files for every platform and Python.
lock:
	uv pip compile pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url --no-annotate --no-header --upgrade --output-file requirements.lock

clean-venv:
	rm -rf $(VENV)
