# make quick: a scorecard of ten claims in five minutes     make test: the tests     make lint: the linters
PYTHON ?= python3
VENV = .venv
BIN = $(VENV)/bin
CORES ?= 2

.PHONY: quick test lint clean-venv

quick: $(VENV)/.installed
	$(BIN)/snakemake --cores $(CORES) --configfile config.quick.yaml

test: $(VENV)/.installed
	$(BIN)/python -m pytest $(PYTEST)

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Installed anew when the dependencies change. `pip install --group` needs pip 25.1.
$(VENV)/.installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	touch $@

clean-venv:
	rm -rf $(VENV)
