# Every target works on a fresh clone: the first one that needs it makes .venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check format protos baseline docs docs-reference bench soak compat images test-images clean

help: ## Show the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP): pyproject.toml services/pyproject.toml constraints.txt
	@# A system Python may come without ensurepip; its own pip can then provide one.
	$(PYTHON) -m venv $(VENV) || { \
	  $(PYTHON) -m venv --clear --without-pip $(VENV) && $(PYTHON) -m pip --python $(BIN)/python install pip; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]' -e services
	@touch $@

demo: $(STAMP) ## Encode a real clip to MP4 + WebM + WebP, embedded. CLIP=path takes your own.
	@$(BIN)/python -m demo $(if $(CLIP),--clip '$(CLIP)')

test: $(STAMP) ## Run the test suite.
	$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## ruff, mypy strict, import-linter, buf lint and breaking, fresh stubs and pages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf breaking --against protos/baseline.binpb
	$(BIN)/python protos/generate.py --check
	$(BIN)/python -m docs.tools --check

format: $(STAMP) ## Let ruff fix what it can.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

protos: $(STAMP) ## Generate the stubs again.
	$(BIN)/python protos/generate.py

baseline: $(STAMP) ## Take the contracts of today as what `make check` compares with (at a release).
	$(BIN)/buf build --exclude-source-info -o protos/baseline.binpb

docs: $(STAMP) ## Build the site of docs/ into build/site, strictly. REPOSITORY_URL=… links to the sources.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt zensical
	@REPOSITORY_URL='$(REPOSITORY_URL)' $(BIN)/python -m docs.tools.site

docs-reference: $(STAMP) ## Write all that is generated from the code again: pages, schemas.
	$(BIN)/python -m docs.tools

bench: $(STAMP) ## Measure side by side against peers. ARGS=name runs one.
	$(BIN)/python -m benchmarks $(ARGS)

soak: $(STAMP) ## Long, seeded fault runs.
	$(BIN)/python -m pytest -m soak -rP --timeout 3600 $(ARGS)

images: ## Build both container images. BASE=debootstrap needs no registry (docker/README.md).
	@BASE='$(or $(BASE),registry)' docker/build-images.sh

test-images: $(STAMP) ## Run the images in a container engine: `make images` first.
	$(BIN)/python -m pytest -m images -rs --timeout 900 $(or $(ARGS),tests/docker)

compat: $(STAMP) ## Try the integrations against the real packages. ARGS=diffusers tries one.
	$(BIN)/python -m tests.client.compat.environments $(ARGS)

clean: ## Remove what the targets made.
	rm -rf $(VENV) .compat build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache demo-output
