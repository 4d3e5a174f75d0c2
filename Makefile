# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.edge-aver-installed

# The run-time half must also pass on the Python of JetPack 6.
DEVICE_PYTHON ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.10.*/bin/python) python3.10)
DEVICE_VENV ?= .venv-device
DEVICE_INSTALLED := $(DEVICE_VENV)/.edge-aver-installed
DEVICE_TESTS := tests/bundle tests/targets tests/runtime tests/media $(addprefix tests/test_,$(addsuffix .py,console containment declarations errors files locks spec))

.PHONY: demo test check unit test-device slow gpu reference-checkpoints clean

demo: $(INSTALLED)
	$(BIN)/edge-aver demo --workspace workspace

test: check unit test-device

check: $(INSTALLED)
	$(BIN)/ruff check edge_aver tests
	$(BIN)/ruff format --check edge_aver tests
	$(BIN)/mypy

unit: $(INSTALLED)
	$(BIN)/pytest

slow: $(INSTALLED)
	$(BIN)/pytest -m slow

# On a machine with an NVIDIA GPU; elsewhere these tests fail and say what is missing.
gpu: $(INSTALLED)
	$(BIN)/pytest -m gpu -rs

test-device:
	@if $(DEVICE_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 10))' 2>/dev/null; then \
		$(MAKE) --no-print-directory device-unit; \
	else \
		echo "Not run: the run-time tests on Python 3.10 (no $(DEVICE_PYTHON) here; set DEVICE_PYTHON)"; \
	fi

.PHONY: device-unit
device-unit: $(DEVICE_INSTALLED)
	$(DEVICE_VENV)/bin/python -m pytest -p no:cacheprovider $(DEVICE_TESTS)

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "edge-aver's workstation half needs Python 3.11 or later; set PYTHON=python3.11" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all,dev]'
	touch $@

$(DEVICE_INSTALLED): pyproject.toml constraints.txt
	test -x $(DEVICE_VENV)/bin/python || $(DEVICE_PYTHON) -m venv $(DEVICE_VENV)
	$(DEVICE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[onnxruntime,openvino,dev-device]'
	touch $@

# All architectures on all folds of composite clips, the backbone left as WEIGHTS has it; frames are encoded once.
WORKSPACE ?= workspace
reference-checkpoints: $(INSTALLED)
	@test -n "$(SPEECH)" -a -n "$(FACES)" -a -n "$(WEIGHTS)" || { echo "usage: make $@ SPEECH=folder-of-RAVDESS-recordings FACES=FER2013.zip WEIGHTS=backbone.safetensors [WORKSPACE=$(WORKSPACE)]" >&2; exit 2; }
	$(BIN)/edge-aver prepare --corpus composite --speech "$(SPEECH)" --faces "$(FACES)" --workspace "$(WORKSPACE)"
	for fold in 1 2 3 4 5; do for arch in sa ca id; do \
		$(BIN)/edge-aver train --arch $$arch --fold $$fold --corpus composite --backbone-weights "$(WEIGHTS)" \
			--freeze-backbone --workspace "$(WORKSPACE)" || exit; \
	done; done

clean:
	rm -rf workspace build dist
