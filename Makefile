# `make demo` and `make test` do all the set-up themselves; Python 3.10 or newer is all they need.
PYTHON ?= python3
BIN := .venv/bin
DEV := .venv-dev/bin
PHOTOS ?=

.PHONY: demo check test lint bench torture model clean

# The photographs in scikit-image's wheel; what is drawn or printed there is left out.
DEMO_PHOTOS = $(shell $(BIN)/python -c 'import importlib.util as u; print(u.find_spec("skimage.data").submodule_search_locations[0])')
NOT_PHOTOS := chessboard* logo* phantom* text* page* multipage* no_time* color* clock*
SEARCHES := "a cat" "a cup of coffee" "a horse" "a motorcycle" "a man with a camera" "a rocket at night"

demo: .venv/installed
ifeq ($(PHOTOS),)
	@mkdir -p .demo
	$(BIN)/twobranch --library .demo/.twobranch index "$(DEMO_PHOTOS)" $(foreach name,$(NOT_PHOTOS),--exclude '$(name)')
	@for query in $(SEARCHES); do echo; echo "search \"$$query\""; \
	  $(BIN)/twobranch --library .demo/.twobranch search -k 3 "$$query" || exit 1; done
	@echo; echo 'Now your own photos:'
	@echo '  ./cli.py index ~/Pictures && ./cli.py search "red car on a street"'
	@echo '  ./cli.py serve --open              # a page to look at them'
else
	$(BIN)/twobranch index "$(PHOTOS)"
	@for query in "people outdoors" "a dog" "a street with cars"; do echo; echo "search \"$$query\""; \
	  $(BIN)/twobranch search -k 3 "$$query" || exit 1; done
	@echo; echo 'Now in your own words, from this folder:'
	@echo '  ./cli.py search "red car on a street"'
	@echo '  ./cli.py serve --open              # a page to look at them'
endif

# Two tests at a time, wherever there are cores for them; each takes gigabytes while it trains.
TWO := -n 2 --dist worksteal

# Under a minute: unit and property tests, lint, types. See CONTRIBUTING.md for the three tiers. Folders of which
# nothing is run are not even imported.
QUICK := not cli and not browser and not train and not torture and not slow
check: lint
	$(DEV)/python -m pytest $(TWO) -m "$(QUICK)" $(addprefix --ignore tests/,browser torture train)

test: .venv-dev/installed tests/page/node_modules/installed
	$(DEV)/python -m pytest $(TWO)

# The page's modules are checked by TypeScript and tested in Node; `tests/test_page_modules.py` runs the tests as well.
NODE := PATH="$(CURDIR)/$(DEV):$$PATH" npm --prefix tests/page

lint: .venv-dev/installed tests/page/node_modules/installed
	$(DEV)/ruff check .
	$(DEV)/ruff format --check .
	$(DEV)/mypy
	$(NODE) run --silent types

# Half an hour, and 4 GB of made-up libraries in .bench.
bench: .venv-dev/installed
	@mkdir -p .bench
	$(DEV)/python -m benchmarks.indexing
	$(DEV)/python -m benchmarks.coldsearch 1000 10000 100000 1000000 --folder .bench
	$(DEV)/python -m benchmarks.warmsearch 100000 1000000 --folder .bench
	$(DEV)/python -m benchmarks.refresh 20000 100000
	$(DEV)/python -m benchmarks.evalscale 1000 5000 --folder .bench

# An hour or two of kills, faults, garbage and long runs; SEED=… for another one, SHARE=0.3 for less.
SEED ?= 1
SHARE ?= 1
torture: .venv-dev/installed
	$(DEV)/python -m pytest $(TWO) tests/torture -o faulthandler_timeout=43200 --long=$(SHARE) --seed $(SEED) --torture-report benchmarks/torture.md

# The shipped model again, from folders as DATA names them: three hours or so without a GPU.
DATA ?= ../shared
FLICKR8K := $(DATA)/flickr8k
WIDER := $(DATA)/wider
MODEL ?= .models
model: .venv-dev/installed
	$(DEV)/python cli.py train $(FLICKR8K)/Flickr8k.token.txt --images $(FLICKR8K)/images \
	  --preset flickr8k --out $(MODEL)/flickr8k
	$(DEV)/python cli.py train $(FLICKR8K)/Flickr8k.token.txt $(WIDER)/dataset.json \
	  --images $(FLICKR8K)/images --images $(WIDER)/images --start $(MODEL)/flickr8k --out $(MODEL)/default
	$(DEV)/python -m twobranch.train.languages $(MODEL)/default \
	  --captions $(FLICKR8K)/Flickr8k.token.txt --images $(FLICKR8K)/images \
	  --captions $(WIDER)/dataset.json --images $(WIDER)/images \
	  --texts de=$(FLICKR8K)/Flickr8k.de.token.txt --texts de=$(FLICKR8K)/Flickr8k.de5.token.txt \
	  --texts fr=$(FLICKR8K)/Flickr8k.fr.token.txt --texts cs=$(FLICKR8K)/Flickr8k.cs.token.txt \
	  --parallel $(DATA)/multi30k/parallel.tsv

# What a photo owner installs: no torch.
.venv/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo,serve]'
	@touch $@

# Everything: the core, training, and the tools that check the code. PyTorch brings several GB.
.venv-dev/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv .venv-dev
	$(DEV)/pip install --quiet --disable-pip-version-check -e '.[demo,serve,mcp,models,train,test]'
	@touch $@

tests/page/node_modules/installed: tests/page/package-lock.json .venv-dev/installed
	$(NODE) ci --silent
	@touch $@

clean:
	rm -rf .venv .venv-dev .bench tests/page/node_modules .pytest_cache .mypy_cache .ruff_cache *.egg-info
