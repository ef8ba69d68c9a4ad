# Two commands for everybody: `make demo` shows what luminous-node does, `make test` proves it.
# Everything runs in .venv, which the first use makes (setup.sh says what it needs and why).
.DELETE_ON_ERROR:
.PHONY: help demo test check docs format bench gossipy long lock clean

VENV := .venv
BIN := $(VENV)/bin
export PYTHON LUMINOUS_VENV MAKECMDGOALS

help:
	@echo "make demo    what it does, about a minute"
	@echo "make test    the tests that CI runs"
	@echo "make check   format, lint, types, imports, unit tests, determinism"
	@echo "make bench   measurements, printed and written to build/bench.json"
	@echo "make gossipy what make bench compares learning with: gossipy-dfl and torch, 6 GB"
	@echo "make long    the tests that do not fit CI"
	@echo "make docs    write the generated pages of docs/ anew"
	@echo "make format  let ruff write the files as it likes them"
	@echo "make lock    write requirements.lock from what .venv holds"
	@echo "make clean   remove what was built; .venv stays"

$(VENV)/.ready-run $(VENV)/.ready-test $(VENV)/.ready-dev: $(VENV)/.ready-%: pyproject.toml requirements.lock setup.sh
	@sh setup.sh $*

demo: $(VENV)/.ready-run
	$(BIN)/python -m luminous.simulations.demo $(ARGS)

# Tests that measure or fill the machine (-m alone) run first and by themselves; 5 means there are none.
test: $(VENV)/.ready-test
	$(BIN)/pytest -q -m "alone and not long and not oracle" $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not alone and not long and not oracle" $(ARGS)

check: $(VENV)/.ready-dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	PYTHONPATH=src $(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not slow and not long and not alone and not oracle" $(ARGS)

bench: $(VENV)/.ready-dev
	$(BIN)/python -m luminous.simulations.bench $(ARGS)

# torch pins much and weighs 6 GB, so it is nobody's extra. torchvision: gossipy-dfl imports it, undeclared.
gossipy: $(VENV)/.ready-run
	$(BIN)/python -m venv .venv-gossipy
	.venv-gossipy/bin/pip install -q gossipy-dfl==0.0.1 torchvision

long: $(VENV)/.ready-test
	$(BIN)/pytest -m long $(ARGS)

docs: $(VENV)/.ready-dev
	@for page in reference control_page privacy_page; do PYTHONPATH=src $(BIN)/python tests/docs/test_$$page.py; done
	$(BIN)/python -m luminous.simulations.lifecycle_diagram docs/governance.md
	$(BIN)/python -m luminous.simulations.doc_tables docs/simulation.md

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: $(VENV)/.ready-dev
	$(BIN)/python -m pip freeze --exclude-editable --exclude luminous-node > requirements.lock

clean:
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
