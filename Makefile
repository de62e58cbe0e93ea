# Madang. `make demo` shows a city, `make test` proves it; `make help` lists the rest.

CITY ?= Examples/demo.city.yaml
DATA ?= $(patsubst %.city.yaml,%.madang,$(notdir $(CITY)))
PORT ?= 8080
# What happens in the demo city; none in others.
EVENING ?= $(wildcard $(patsubst %.city.yaml,%.evening.yaml,$(CITY)))

# Real data for tests; those that need it skip, by name, where it is absent.
export MADANG_DATA ?= $(abspath $(CURDIR)/../shared/data)
export MADANG_PYTHON ?= $(CURDIR)/Tests/oracles/.venv/bin/python
export MADANG_WEB_ASSETS ?= $(CURDIR)/.web-assets

.PHONY: help setup build demo test bench format lint sbom docs soak week fuzz powercut clean
.DEFAULT_GOAL := help

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## fetch Debian packages, Python oracles, browser libraries (again: at once)
	@scripts/setup.sh

build: setup ## the release build of madang
	@scripts/release.sh

demo: build ## a city in the browser: CITY=Examples/demo.city.yaml PORT=8080
	.build/release/madang up $(CITY) --data $(DATA) --port $(PORT) $(if $(EVENING),--evening $(EVENING))

test: setup ## all tests, Swift and browser: FILTER=regex narrows the Swift ones
	@scripts/test.sh $(FILTER)

bench: setup ## speed beside its anchors, into .build-bench/
	@scripts/bench.sh

soak: setup ## a city for SOAK_MINUTES=10: does it grow?
	@scripts/soak.sh $(CITY)

week: setup ## WEEKS=208 of real readings at top speed: does the city grow?
	@scripts/week.sh

fuzz: setup ## parsers and proofs under FUZZ=1000000 inputs each (a short form is part of make test)
	MADANG_FUZZ=$${FUZZ:-1000000} swift test --filter FuzzTests
	MADANG_MUTATIONS=$${FUZZ:-1000000} swift test --filter noMutated

powercut: setup ## POWERCUT=10000 crash states each of the store, the log, a witness, opened and compared (short: make test)
	@scripts/powercut.sh

format: ## bring the Swift sources into the project's format
	swift format format --in-place --parallel --recursive Sources Tests Package.swift

lint: setup ## format, forbidden words, secrets, shell syntax
	@scripts/lint.sh

sbom: ## what the program is made of, as CycloneDX, into .build-sbom/
	@python3 scripts/sbom.py .build-sbom/madang.cdx.json

docs: ## does every link lead somewhere, and has every clause of the standard its test?
	@python3 scripts/check-docs.py
	@python3 scripts/clauses.py

clean: ## remove what was built, keep what was fetched
	rm -rf .build .build-bench .build-lint .build-powercut .build-sbom .build-soak .build-test .build-week .build-anchors
