# Everything happens in .venv, made from pyproject.toml under the pins of constraints.txt.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-all check format bench constraints clean

demo: .venv/ready
	$(BIN)/resight demo

test: .venv/ready check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

# Also the tests marked slow.
test-all: .venv/ready check
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m ""

check: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Resight needs Python 3.11 or newer: make PYTHON=python3.11 …")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv -c constraints.txt
	$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python -c constraints.txt -e '.[train,dev]'
	touch $@

# Take newer versions of everything (no registry's address gets into the file).
constraints:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --upgrade \
	    --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	    pyproject.toml -o constraints.txt

clean:
	rm -rf .venv out build dist
