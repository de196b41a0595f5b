# Every target makes .venv if it is missing and installs into it what the target needs.
#   make quickstart          train lambda_resnet_tiny on real digits, export it, reload and compare
#   make test                lint and every test that needs neither jax nor torch
#   make test BACKENDS=1     the same and the comparisons with jax, torch and the torch peers
#   make test ROOM=export    the tests of one room: lambda_keras, zoo or export
#   make test-fast           what is not slow and needs no process, browser or server of its own: 7 minutes on 2 cores
#   make test-memory         what takes gigabytes of memory: 3 minutes
#   make test-oldest         the library's tests and the notebooks with the oldest versions that setup.cfg takes
#   make test-colab          the same with the versions that Google Colab has; needs python3.13
#   make test-beam           the pipeline of `lambda-zoo pseudo-label --runner`, with Apache Beam's versions of its packages
#   make lint                ruff and mypy alone
#   make tables              measure the models again and write the tables of README and docs
#   make bench               measure each table of docs/performance.md in the short form, and write it: about 10 minutes
#   make bench-full          measure them in full, and what the other pages have tables of, but for trainings: hours
#   make docs                write the documentation's site to site/; a warning fails it

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
# uv where it is there: it installs faster. Python compiles a module when it is first imported: of 24,000 few are.
ifneq ($(shell command -v uv),)
INSTALL := uv pip install --quiet --python $(BIN)/python --constraint constraints.txt
else
INSTALL := $(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check --constraint constraints.txt
endif
REQUIREMENTS := setup.cfg pyproject.toml constraints.txt
# Where an environment forbids it, as images of containers do, each process compiles TensorFlow's Python anew: 10 seconds.
unexport PYTHONDONTWRITEBYTECODE
RUN ?= runs/quickstart

ifeq ($(BACKENDS),1)
TEST_EXTRAS := .venv/.backends
MARKS := -m "not memory"
else
TEST_EXTRAS := .venv/.test
MARKS := -m "not (backends or memory)"
endif
# A file's tests share what its fixtures make, so they run in one of the processes; the heaviest files begin. Three
# processes take a tenth more of the time of two cores, and end no sooner.
PYTEST := $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder --durations 25

.PHONY: quickstart test test-fast test-memory test-oldest test-colab test-beam lint tables bench bench-full docs clean
.DELETE_ON_ERROR:

$(BIN)/python:
	$(PYTHON) -m venv .venv

.venv/.run: $(BIN)/python $(REQUIREMENTS)
	$(INSTALL) --editable ".[zoo,export]"
	touch $@

.venv/.test: $(BIN)/python $(REQUIREMENTS)
	$(INSTALL) --editable ".[zoo,export,runtimes,notebook,docs,test]"
	touch $@

.venv/.backends: $(BIN)/python $(REQUIREMENTS)
	$(INSTALL) --editable ".[zoo,export,runtimes,notebook,docs,test,backends]"
	touch $@ .venv/.test

# mypy knows no `package_dir`: it finds `lambda_keras.zoo` and `lambda_keras.export` by these links. Of the packages that
# are imported it reads NumPy and pydantic alone.
.venv/.lint: $(BIN)/python $(REQUIREMENTS)
	$(INSTALL) ruff mypy numpy pydantic
	mkdir -p .venv/rooms/lambda_keras
	ln -sfn ../../../zoo .venv/rooms/lambda_keras/zoo
	ln -sfn ../../../export .venv/rooms/lambda_keras/export
	touch $@

.venv/.bench: $(BIN)/python $(REQUIREMENTS)
	$(INSTALL) --editable ".[zoo,export,runtimes,bench,backends]"
	touch $@

.venv/.docs: $(BIN)/python $(REQUIREMENTS)
	$(INSTALL) --editable ".[zoo,export,docs]"
	touch $@

quickstart: .venv/.run
	$(BIN)/lambda-zoo train --recipe digits --out $(RUN)
	$(BIN)/lambda-export saved-model --model $(RUN)/model.keras --out $(RUN)/saved_model
	$(BIN)/lambda-export tflite --model $(RUN)/model.keras --out $(RUN)/model.tflite
	$(BIN)/lambda-export verify --model $(RUN)/model.keras --data $(RUN)/test.npz $(RUN)/saved_model $(RUN)/model.tflite

lint: .venv/.lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: $(TEST_EXTRAS) lint
	$(PYTEST) $(MARKS) $(if $(ROOM),tests/$(ROOM))

test-fast: $(TEST_EXTRAS)
	$(PYTEST) -m "not (backends or memory or slow or process or browser or network)" $(if $(ROOM),tests/$(ROOM))

test-memory: $(TEST_EXTRAS)
	$(BIN)/python -m pytest -m memory tests

# The library's tests and the notebooks need [export] and what runs tests and notebooks: no [zoo].
OTHER_VERSIONS := -m pytest -m "not backends" tests/lambda_keras tests/notebooks

test-oldest: .venv-oldest/.installed
	.venv-oldest/bin/python $(OTHER_VERSIONS)

test-colab: .venv-colab/.installed
	.venv-colab/bin/python $(OTHER_VERSIONS)

test-beam: .venv-beam/.installed
	.venv-beam/bin/python -m pytest tests/zoo/pseudo_labels/test_beam.py tests/zoo/test_extras.py -k beam

.venv-oldest/.installed: tests/oldest.txt setup.cfg
	python3.11 -m venv .venv-oldest
	.venv-oldest/bin/python -m pip install --quiet --constraint tests/oldest.txt --editable ".[export,notebook,test]"
	touch $@

# First what Colab has, then ours beside it: a requirement that would replace one of these versions is an error.
.venv-colab/.installed: tests/colab.txt setup.cfg
	python3.13 -m venv .venv-colab
	.venv-colab/bin/python -m pip install --quiet --requirement tests/colab.txt
	.venv-colab/bin/python -m pip install --quiet --constraint tests/colab.txt --editable ".[export,notebook,test]"
	touch $@

.venv-beam/.installed: tests/beam.txt setup.cfg
	python3.11 -m venv .venv-beam
	.venv-beam/bin/python -m pip install --quiet --constraint tests/beam.txt --editable ".[zoo,beam,test]"
	touch $@

tables: .venv/.bench
	$(BIN)/python -m benchmarks.models
	$(BIN)/python -m benchmarks.tables

# Rows of the short form stand beside those of the full one of the same device, and replace only rows of their own form.
bench: .venv/.bench
	$(BIN)/python -m benchmarks.contraction --short
	$(BIN)/python -m benchmarks.peers --short
	$(BIN)/python -m benchmarks.peers_memory --short
	$(BIN)/python -m benchmarks.pairs --short
	$(BIN)/python -m benchmarks.growth --short
	$(BIN)/python -m benchmarks.fuse --short
	$(BIN)/python -m benchmarks.interactions --short
	$(BIN)/python -m benchmarks.hybrids --short
	$(BIN)/python -m benchmarks.scopes --short
	$(BIN)/python -m benchmarks.roofline --short
	$(BIN)/python -m benchmarks.startup --short
	$(BIN)/python -m benchmarks.export --short
	$(BIN)/python -m benchmarks.training_loop --short
	$(BIN)/python -m benchmarks.tables
	$(BIN)/python -m benchmarks.plots

# Not in it: what trains networks or needs data (fashion_mnist_semi, fine_tuning_defaults, shipped_weights, stamps,
# table_resizing, transfer), and accelerator, which needs a GPU or TPU.
bench-full: .venv/.bench
	$(BIN)/python -m benchmarks.contraction
	$(BIN)/python -m benchmarks.peers --full
	$(BIN)/python -m benchmarks.peers_memory --full
	$(BIN)/python -m benchmarks.pairs
	$(BIN)/python -m benchmarks.growth
	$(BIN)/python -m benchmarks.fuse
	$(BIN)/python -m benchmarks.interactions
	$(BIN)/python -m benchmarks.hybrids
	$(BIN)/python -m benchmarks.scopes
	$(BIN)/python -m benchmarks.roofline
	$(BIN)/python -m benchmarks.startup
	$(BIN)/python -m benchmarks.export
	$(BIN)/python -m benchmarks.training_loop
	$(BIN)/python -m benchmarks.models
	$(BIN)/python -m benchmarks.detector_memory
	$(BIN)/python -m benchmarks.input_streams
	$(BIN)/python -m benchmarks.pseudo_labels
	$(BIN)/python -m benchmarks.serving_load
	$(BIN)/python -m benchmarks.any_size
	$(BIN)/python -m benchmarks.delegates
	$(BIN)/python -m benchmarks.tables
	$(BIN)/python -m benchmarks.plots

docs: .venv/.docs
	$(BIN)/python -m mkdocs build --strict

clean:
	rm -rf .venv .venv-oldest .venv-colab .venv-beam runs site build dist *.egg-info
