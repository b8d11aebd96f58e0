# Two commands for a new user: `make demo` and `make test`. Each makes its environment itself.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed
PIP_INSTALL = -m pip install --quiet --disable-pip-version-check

VERSION = $(shell sed -n 's/^__version__ = "\(.*\)"$$/\1/p' hybridlesion/__init__.py)

.PHONY: demo test lint docs wheel-test wheel-test-networks format release clean

demo: $(STAMP)
	$(BIN)/hybridlesion demo --out demo

# The examples of the site are run by the tests.
test: GALLERY = 0
test: lint docs
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, build/docs/index.html. GALLERY=0 leaves the examples without their output.
GALLERY ?= 1
docs: $(STAMP)
	$(BIN)/python -m sphinx -q -W --keep-going -j auto -D plot_gallery=$(GALLERY) \
	    -c docs -d build/doctrees . build/docs

# Tests of the installed wheel, without torch: PYTHON=python3.14, CONSTRAINTS=constraints-lowest.txt.
# WHEEL_VENV is the environment that is made, and removed before; WHEEL_PACKAGES are added to it.
# Its own folder of temporary files lets several run at a time: they would tidy up each other's.
WHEEL_VENV ?= build/wheel-test
WHEEL_PACKAGES ?=
WHEEL_TESTS ?= tests/metadata tests/io tests/features tests/featurizer tests/metrics \
    tests/model tests/persistence
wheel-test:
	rm -rf $(WHEEL_VENV)
	$(PYTHON) -m venv $(WHEEL_VENV)
	$(WHEEL_VENV)/bin/python $(PIP_INSTALL) --only-binary :all: $(addprefix -c ,$(CONSTRAINTS)) \
	    -r docs/slim.txt h5py hypothesis openpyxl pillow-heif polars pydicom pytest pytest-xdist \
	    $(WHEEL_PACKAGES)
	$(WHEEL_VENV)/bin/python $(PIP_INSTALL) --no-deps .
	$(WHEEL_VENV)/bin/pytest -n 2 -q -W ignore::DeprecationWarning --basetemp=$(WHEEL_VENV)/tmp \
	    $(WHEEL_TESTS)

# Tests of the networks with the lowest torch and timm, on Python 3.11. The libraries of CUDA, which
# torch brings, take 5 GB. pandas 2.2 announces changes that newer versions have made.
wheel-test-networks:
	PYTEST_ADDOPTS='-W ignore::FutureWarning' $(MAKE) wheel-test \
	    CONSTRAINTS=constraints-lowest.txt WHEEL_PACKAGES='torch timm' \
	    WHEEL_TESTS='tests/cnn tests/segmentation/refiner tests/training'

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Builds and tags; uploads nothing. CONTRIBUTING.md has the checklist. The links of the README and
# the addresses of the project lead to REPOSITORY; without one, they are left out.
REPOSITORY ?= $(shell git config --get remote.origin.url | sed -n 's/\.git$$//; /^https:/p')
release: $(STAMP)
	@test -z "$$(git status --porcelain)" || { echo "There are uncommitted changes."; exit 1; }
	@test "$$(grep -m 1 '^## ' CHANGELOG.md)" = "## $(VERSION)" || \
	    { echo "The first heading of CHANGELOG.md must be '## $(VERSION)'."; exit 1; }
	@grep -qx 'version: $(VERSION)' CITATION.cff || \
	    { echo "CITATION.cff must name version $(VERSION)."; exit 1; }
	@! git rev-parse --quiet --verify refs/tags/v$(VERSION) >/dev/null || \
	    { echo "The tag v$(VERSION) exists."; exit 1; }
	rm -rf dist
	HYBRIDLESION_REPOSITORY='$(REPOSITORY)' $(BIN)/python -m hatchling build -d dist
	git tag -a v$(VERSION) -m 'hybridlesion $(VERSION)'

# torch comes first and alone: once it is there, nothing that follows replaces it. pip would compile
# on one core, which takes half of its time.
$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python $(PIP_INSTALL) --no-compile -c constraints.txt torch
	$(BIN)/python $(PIP_INSTALL) --no-compile -c constraints.txt -e '.[test,docs]'
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	touch $(STAMP)

clean:
	rm -rf $(VENV) demo build dist docs/api docs/gallery .pytest_cache .ruff_cache
