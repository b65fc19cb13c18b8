# Two commands do all: `make run` and `make test`. Everything they need is installed into .venv by the first of them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'

.PHONY: venv
venv: $(INSTALLED) ## make .venv and install the project with its tests

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v >= (3, 11) else "seqzoo needs Python 3.11 or newer, %s is %d.%d; name another with make PYTHON=python3.12" % (sys.executable, *v))'
	@echo "Installing seqzoo into $(VENV) (a few minutes, once) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --use-pep517 --editable '.[test]'
	@touch $(INSTALLED)

.PHONY: run
run: $(INSTALLED) ## train weather, log it, export it, serve it, ask it; stays until Ctrl-C (ONCE=1: ends after the answers)
	@$(BIN)/seqzoo tour $(if $(filter-out 0,$(ONCE)),--once)

DEBIAN := $(VENV)/debian

# redis-server for its tests, without root, on a Debian that has none; without it those tests are skipped
$(DEBIAN)/.tried: $(INSTALLED)
	@mkdir -p $(DEBIAN)
	@command -v redis-server >/dev/null || ! command -v apt-get >/dev/null || (cd $(DEBIAN) \
		&& apt-get download redis-server redis-tools libatomic1 libjemalloc2 liblzf1 \
		&& for package in *.deb; do dpkg -x $$package .; done) >/dev/null 2>&1 || true
	@touch $@

# each process holds TensorFlow: no more of them than cores, nor than memory has room for. A file's tests stay together
# and share what they prepare; the files go by their names: by the number of their tests, the slowest few would be left for the end.
JOBS ?= auto

.PHONY: test
test: $(INSTALLED) $(DEBIAN)/.tried lint types ## every test, the linter and the type checker (JOBS=1: one after the other)
	@$(BIN)/python -m pytest --numprocesses=$(JOBS) --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

.PHONY: lint
lint: $(INSTALLED) ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

.PHONY: types
types: $(INSTALLED) ## mypy
	@$(BIN)/mypy

.PHONY: format
format: $(INSTALLED) ## rewrite the code in the house format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

BENCH := .venv-bench

# torch for these two alone: on some machines plain pip fetches it with CUDA, which is gigabytes
$(BENCH)/.installed: pyproject.toml
	@echo "Installing seqzoo with torch into $(BENCH) (a few minutes, once) ..."
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch $(BENCH)/.installed

.PHONY: test-torch
test-torch: $(BENCH)/.installed ## the tests that need torch, in an environment of their own
	@$(BENCH)/bin/python -m pytest tests/models/layers/test_torch_weights.py

.PHONY: bench-layers
bench-layers: $(BENCH)/.installed ## our layers beside those of Keras and torch (about 20 minutes, on an idle machine)
	@$(BENCH)/bin/python -m benchmarks.models.layers --save benchmarks/results/layers.json
	@$(BENCH)/bin/python -m benchmarks.models.report benchmarks/results/layers.json docs/performance.md \
		$(if $(wildcard benchmarks/results/layers_why.md),--why benchmarks/results/layers_why.md)

RIVALS := .bench-serving

# an environment for each rival: their packages contradict each other; one that cannot be installed is left out
# (mlserver 1.7.1 asks uvloop for an event loop in a way that uvloop 0.22 no longer has)
RIVAL_PACKAGES := fastapi=fastapi[standard]==0.165.0 litserve=litserve==0.2.19 bentoml=bentoml==1.4.39 \
	mlserver=mlserver==1.7.1+uvloop==0.21.0 ray=ray[serve]==2.60.0

OF_SEQUENCES := benchmarks/results/sequences.json benchmarks/results/streams.json \
	$(if $(wildcard benchmarks/results/sequences_why.md),--why benchmarks/results/sequences_why.md)

.PHONY: bench-streams
bench-streams: $(INSTALLED) ## what it costs to stream text, and what streams gain together (a minute, on an idle machine)
	@$(BIN)/python -m benchmarks.serving.streams --save benchmarks/results/streams.json 2>/dev/null
	@$(BIN)/python -m benchmarks.serving.sequences.report docs/sequences_performance.md $(OF_SEQUENCES)

.PHONY: bench-sequences
bench-sequences: $(INSTALLED) rivals ## states that the server keeps, by store, beside hand-written servers (15 minutes; SHORT=1: 5)
	@$(BIN)/python -m benchmarks.serving.sequences --save benchmarks/results/sequences.json $(if $(SHORT),--short)
	@$(BIN)/python -m benchmarks.serving.sequences.report docs/sequences_performance.md $(OF_SEQUENCES)

.PHONY: rivals
rivals:
	@for rival in $(RIVAL_PACKAGES); do \
		folder=$(RIVALS)/$${rival%%=*}; \
		[ -e $$folder/.ok ] && continue; \
		echo "Installing $${rival#*=} into $$folder ..."; \
		$(PYTHON) -m venv $$folder && $$folder/bin/pip install --quiet --disable-pip-version-check \
			'tensorflow>=2.21,<2.22' $$(echo $${rival#*=} | tr + ' ') && touch $$folder/.ok \
			|| echo "$${rival#*=} cannot be installed here and is left out"; \
	done

.PHONY: bench-serving
bench-serving: $(INSTALLED) rivals ## our server beside other Python servers (about 35 minutes, on an idle machine; SHORT=1: 11)
	@$(BIN)/python -m benchmarks.serving.servers --save benchmarks/results/serving.json $(if $(SHORT),--short)
	@$(BIN)/python -m benchmarks.serving.profile --save benchmarks/results/serving_profile.json
	@$(BIN)/python -m benchmarks.serving.report benchmarks/results/serving.json docs/serving_performance.md \
		--parts benchmarks/results/serving_profile.json \
		$(if $(wildcard benchmarks/results/serving_why.md),--why benchmarks/results/serving_why.md)

.PHONY: bench-compiling
bench-compiling: $(INSTALLED) ## the zoo's signatures compiled, plain, and as TensorFlow calls them (3 minutes, on an idle machine)
	@$(BIN)/python -m benchmarks.serving.compiling --save benchmarks/results/compiling.json --page docs/compiling_performance.md

.PHONY: zoo
zoo: $(INSTALLED) ## train the zoo anew with three seeds, record it with its weights, rewrite docs/zoo.md (hours; ZOO=weather: one)
	@$(BIN)/python -m training.zoo docs/zoo.md $(ZOO)

.PHONY: zoo-page
zoo-page: $(INSTALLED) ## rewrite docs/zoo.md from the records that come along (seconds)
	@$(BIN)/python -m training.zoo.page docs/zoo.md

.PHONY: zoo-latency
zoo-latency: $(INSTALLED) ## measure the calls in docs/zoo.md again (a minute, on an idle machine)
	@$(BIN)/python -m training.zoo.latency
	@$(BIN)/python -m training.zoo.page docs/zoo.md

COMPARED ?= weather speaker tagger

.PHONY: comparison
comparison: $(INSTALLED) ## train with each recurrence; write docs/comparison.md and its pictures (minutes; COMPARED=weather)
	@home=$$(mktemp -d) && SEQZOO_HOME=$$home $(BIN)/python -m training.zoo.comparison_page docs/comparison.md $(COMPARED) \
		&& rm -r $$home

.PHONY: screenshots
screenshots: $(INSTALLED) ## train weather twice; take the pictures of docs/mlflow.md (minutes; needs Chromium)
	@home=$$(mktemp -d) && export SEQZOO_HOME=$$home && $(BIN)/seqzoo train weather && $(BIN)/seqzoo train weather --seed 1 \
		&& $(BIN)/python docs/pictures/screenshots.py && rm -r $$home

STEPS ?= 1000000
SEED ?= 1
PARTS ?= 20

.PHONY: soak-sequences
soak-sequences: $(INSTALLED) $(DEBIAN)/.tried ## sequences under faults, on each store (a million steps: an hour or more; STEPS=10000: minutes)
	@$(BIN)/python -m tests.serving.sequences.checker --steps $(STEPS) --seed $(SEED) --parts $(PARTS) \
		--save benchmarks/results/soak_sequences.json
	@$(BIN)/python -m tests.serving.sequences.checker.report benchmarks/results/soak_sequences.json docs/sequences.md

.PHONY: soak
soak: $(INSTALLED) ## the long tests: 100,000 inputs at random, 500 version swaps under load (an hour; the other half: soak-sequences)
	@$(BIN)/python -m benchmarks.serving.soak --save benchmarks/results/soak.json; held=$$?; \
		$(BIN)/python -m benchmarks.serving.soak.report benchmarks/results/soak.json docs/soak.md; \
		echo "The other half, sequences under faults: make soak-sequences"; exit $$held

.PHONY: card
card: $(INSTALLED) ## train weather anew; write its card and the README's picture from that run
	@home=$$(mktemp -d) && SEQZOO_HOME=$$home $(BIN)/seqzoo train weather \
		&& cp $$home/repository/weather/1/assets.extra/model_card.md docs/model_cards/weather.md \
		&& cp $$home/artifacts/weather/*/artifacts/pictures/forecast_against_truth.png docs/pictures/weather_2015.png \
		&& rm -r $$home

.PHONY: pictures
pictures: $(INSTALLED) ## draw the pictures of docs/equations.md
	@$(BIN)/python docs/pictures/draw.py

.PHONY: ui
ui: $(INSTALLED) ## the MLflow experiment UI on this project's store
	@$(BIN)/seqzoo ui

.PHONY: clean
clean: ## remove the virtual environments and caches (keeps .seqzoo: your runs and models)
	@rm -rf $(VENV) $(BENCH) $(RIVALS) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
