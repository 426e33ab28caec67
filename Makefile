# What a person types. Each target works on a machine that has Rust and Node (on Debian as root the rest is installed).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run test soak bench screenshots

# Checked queries compile against the committed .sqlx: no database is needed to build.
export SQLX_OFFLINE := true
unexport SQLX_OFFLINE_DIR

target := $(or $(CARGO_TARGET_DIR),target)
server := cargo build --locked --features ssr --bin crosstie

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1|/' | column -t -s '|'

run: ## the demo at http://127.0.0.1:3000; the first build takes its minutes
	@xtask/install.sh postgres
	@cargo xtask site --release
	@$(server) --release
	@exec $(target)/release/crosstie serve --demo

test: ## everything that CI checks
	@cargo xtask test

soak: ## simulated failures, other ones each time, until you stop it; what fails is written beside the build output
	@xtask/install.sh postgres
	@CROSSTIE_SOAK=1 cargo xtask with-postgres cargo test --quiet --locked --features ssr --test it -- --nocapture storm::histories

bench: ## the figures of the README; FIGURES="merge sync hubspot workspaces simulators screens" chooses
	@xtask/install.sh postgres
	@cargo bench --quiet --locked --features ssr --bench figures -- $(FIGURES)

screenshots: ## every screen and state as PNG in screenshots/
	@xtask/install.sh postgres browser
	@cargo xtask site --release
	@$(server) --release
	@CROSSTIE_RELEASE=1 cargo xtask browser --project=screenshots
