# Two commands matter: `make demo` and `make test`. What a command needs is installed into .tools/, once.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Downloads and tests wait for others, compilers do not: side by side they keep every core busy.
MAKEFLAGS += --jobs=4 --no-print-directory
# One target directory, where template.yaml looks for the functions, whatever the caller's settings are.
export CARGO_TARGET_DIR := $(CURDIR)/target
export PATH := $(CURDIR)/.tools/cargo-lambda/bin:$(PATH)
export SAM_CLI_TELEMETRY := 0

LATENCY := target/debug/latency
# With these the template has everything: what reads a database, which locally is a MariaDB, behind a cache and a load balancer too,
# and the baselines.
EVERYTHING := --parameter Database=aurora --parameter Baselines=all --parameter Readings=all

# Not the documentation, which has no code: rustdoc would look for some in each crate.
TESTS := --lib --bins --tests

# The four architectures of customers and readings, side by side under the published load.
READINGS := ramp --parameter Database=aurora --parameter Readings=all --path '/customerdata/{1..4499}' --function readings \
	--server readings-server --server readings-server-memcached --server readings-load-balancer
# Times of the published load are divided by this: at 1 it takes 18 minutes.
SPEED ?= 2

.PHONY: help demo readings test test-deploy bench up tools functions functions-arm64 servers latency mariadb memcached nginx browser format lint tests-built unit-tests validate clean \
	baselines baseline-rust baseline-cpp baseline-go baseline-python baseline-javascript baseline-fastapi curl-headers

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: functions servers baselines latency mariadb memcached nginx .tools/ministack.installed ## Measure template.yaml's architectures on this machine and print the tables
	@$(LATENCY) compare $(EVERYTHING) --out out
	@$(LATENCY) calc 1000 2 --export-markdown out/calc.md --export-json out/calc.json
	@$(LATENCY) $(READINGS) --levels 50,100 --speed 20 --export-html out/ramp.html

readings: functions servers latency mariadb memcached nginx .tools/ministack.installed ## Compare four architectures under 50 to 1,500 users, in nine minutes; SPEED=1 for the published length
	@mkdir -p out
	@$(LATENCY) $(READINGS) --speed $(SPEED) --export-json out/readings.json --export-html out/readings.html --export-svg out/readings.svg

up: functions servers baselines latency mariadb memcached nginx .tools/ministack.installed ## Serve template.yaml on 127.0.0.1:9000 until Ctrl-C
	@$(LATENCY) up $(EVERYTHING)

bench: functions servers baselines baseline-go latency mariadb memcached nginx .tools/ministack.installed .tools/locust.installed ## Measure the ratios of docs/numbers.md; PART=host, functions, baselines, queue, region, ramp, users, server, readings or database
	@scripts/require 'command -v wrk' wrk
	@cargo lambda build --release --locked --quiet -p bare-calls
	@cargo run --quiet --locked -p bench -- $(PART)

test: format lint unit-tests validate ## Run every check

test-deploy: validate functions functions-arm64 servers baselines mariadb memcached nginx .tools/ministack.installed ## Deploy template.yaml to the emulator and try everything
	@echo "== sam deploy"
	@# In a temporary directory of its own, which rmdir refuses to remove if anything was left behind in it.
	@directory=$$(mktemp -d) && TMPDIR=$$directory PATH=$(CURDIR)/.tools/lambda-javascript/with-sdk:$$PATH cargo test --quiet --locked --workspace --test deploy && rmdir "$$directory"

format:
	@cargo fmt --all --check
	@cargo fmt --check --manifest-path baselines/rust-dynamodb-published/Cargo.toml

# After the tests are built, which wait for more than they compute: cargo builds one thing at a time.
lint: tests-built
	@cargo clippy --quiet --locked --workspace --all-targets -- -D warnings
	@echo "== lints: none"

# More threads than cores: most tests wait most of the time.
unit-tests: tests-built .tools/ministack.installed functions servers baselines mariadb memcached nginx browser
	@echo "== tests"
	@cargo test --locked --workspace $(TESTS) -- --test-threads=4

tests-built: format .tools/build-essentials
	@echo "== tests: cargo test --no-run (two minutes the first time)"
	@cargo test --quiet --locked --workspace $(TESTS) --no-run

validate: .tools/sam.installed
	@.tools/sam/bin/sam validate --lint

functions: .tools/cargo-lambda.installed .tools/build-essentials ## Build the functions for Lambda
	@echo "== functions: cargo lambda build --release (five minutes the first time)"
	@cargo lambda build --release --locked --quiet

# What can't be had of these but Rust is left out, and `latency` says so where it would be measured.
baselines: baseline-rust baseline-cpp baseline-python baseline-javascript baseline-fastapi ## Build the functions that others are measured against

# A workspace of its own, whose features are not the functions'. After them: cargo would share the cores with itself.
baseline-rust: functions
	@echo "== the baseline in Rust: cargo lambda build --release (two minutes the first time)"
	@cargo lambda build --release --locked --quiet --manifest-path baselines/rust-dynamodb-published/Cargo.toml --lambda-dir baselines

baseline-cpp: .tools/cargo-lambda.installed curl-headers
	@scripts/build-cpp cpp-dynamodb

# Compiled when it is installed: on Lambda an environment can't write what it compiles.
baseline-python:
	@[ .tools/lambda-python.installed -nt tools/lambda-python.txt ] || { scripts/install-tool lambda-python && .tools/lambda-python/bin/python -m compileall -q .tools/lambda-python/lib; } || echo "== functions in Python are skipped"

baseline-javascript: .tools/cargo-lambda.installed curl-headers
	@scripts/install-lambda-javascript || echo "== functions in JavaScript are skipped"

baseline-fastapi:
	@[ .tools/fastapi.installed -nt tools/fastapi.txt ] || scripts/install-tool fastapi || echo "== the server in Python is skipped"

# For `make bench` alone: nothing else compares with it, and nobody else has to have Go.
baseline-go:
	@scripts/build-go go-readings

# One way for all that is linked with it; what can't be built says so itself.
curl-headers:
	@scripts/require 'test -e /usr/include/curl/curl.h || test -e "/usr/include/$$(uname -m)-linux-gnu/curl/curl.h"' libcurl4-openssl-dev || true
	@scripts/require 'test -e /usr/include/nlohmann/json.hpp' nlohmann-json3-dev || true

# Nobody ships or runs these: they show that each function builds for arm64 and that its package deploys.
functions-arm64: .tools/cargo-lambda.installed .tools/build-essentials
	@echo "== functions for arm64: cargo lambda build --arm64 (two or three minutes the first time)"
	@cargo lambda build --locked --quiet --arm64 --lambda-dir target/lambda-arm64

servers: .tools/build-essentials ## Build the servers
	@echo "== servers: one static program each (two minutes the first time)"
	@scripts/build-server counter-server
	@scripts/build-server readings-server

latency: .tools/build-essentials ## Build the latency command
	@echo "== the latency command (two minutes the first time)"
	@cargo build --quiet --locked -p latency

tools: .tools/ministack.installed .tools/cargo-lambda.installed baseline-fastapi ## Install the pinned tools into .tools/

# A tool is a Python environment of its own, made from its list of pinned versions and made anew when that changes.
.tools/%.installed: tools/%.txt
	@scripts/install-tool $*

# Without it, what needs a database is skipped, and says so. The packages have the server and no service that starts it.
mariadb:
	@scripts/require 'PATH=$$PATH:/usr/sbin:/usr/local/sbin:/usr/libexec; command -v mariadbd && command -v mariadb-install-db' mariadb-server-core mariadb-client-core || true

# Without it, the tests in a browser are skipped, and say so; with BROWSER=required that is an error.
browser:
	@scripts/require 'command -v chromium && command -v chromedriver' chromium chromium-driver || test "$${BROWSER:-}" != required

# Without them, what stands behind a cache or a load balancer is skipped, and says so.
memcached:
	@scripts/require 'PATH=$$PATH:/usr/sbin:/usr/local/sbin; command -v memcached' memcached || true

nginx:
	@scripts/require 'PATH=$$PATH:/usr/sbin:/usr/local/sbin; command -v nginx' nginx-light || true

.tools/build-essentials:
	@scripts/require 'command -v cc' gcc libc6-dev
	@mkdir -p .tools && touch $@

clean: ## Remove what was built and measured; .tools/ stays
	rm -rf target out baselines/*/bootstrap*
