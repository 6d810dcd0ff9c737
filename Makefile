.PHONY: help demo test check quick fmt clippy tidy deny proto bless oracle bench fuzz

# Tools that cargo installs for `make deny`, apart from those of the user.
TOOLS := target/tools
DENY := $(TOOLS)/bin/cargo-deny
DENY_VERSION := 0.20.2

help: ## print the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: ## the main job: generate logs of three workspaces, ingest them, ask questions
	@deploy/need.sh cc
	cargo build --locked -p loggia
	deploy/demo.sh target/debug/loggia

test: ## run all tests
	@deploy/need.sh cc git python
	cargo test --locked --workspace

check: fmt clippy tidy deny test ## all that must hold before a change lands

quick: ## test the light crates, in seconds
	cargo test --locked -p kql -p schema -p catalog -p proto -p records -p generate -p gateway

fmt: ## show what is not formatted
	cargo fmt --all --check

clippy: ## lint
	@deploy/need.sh cc
	cargo clippy --locked --workspace --all-targets -- -D warnings

tidy: ## the rules of the house: edges between crates, length of files, bans
	@deploy/need.sh cc git
	cargo test --locked -p loggia --test tidy

deny: $(DENY) ## licenses, sources and versions of the dependencies
	$(DENY) --offline --locked check bans licenses sources

$(DENY):
	@deploy/need.sh cc
	cargo install --quiet --locked --root $(TOOLS) --version $(DENY_VERSION) cargo-deny

proto: ## generate the code of proto/ anew
	cargo run -q -p proto --example generate -- crates/proto/src/generated

bless: ## accept the present answers, plans and support matrix
	LOGGIA_BLESS=1 cargo test --locked -p loggia --test all every_case
	LOGGIA_BLESS=1 cargo test --locked -p loggia --test all support_matrix
	INSTA_UPDATE=always cargo test --locked -p kql
	INSTA_UPDATE=always cargo test --locked -p loggia --test all plans

N ?= 10000
SEED ?= 1000000

oracle: ## N random queries from SEED on, one node against clusters and the reference evaluator
	@deploy/need.sh cc
	LOGGIA_QUERIES=$(N) LOGGIA_SEED=$(SEED) cargo test -q --locked -p loggia --test all random_queries -- --nocapture

bench: ## four shards beside one DataFusion, in one run
	@deploy/need.sh cc
	cargo bench --locked -p testkit --bench shards

FUZZ_SECONDS ?= 60
FUZZ_HOST = $(shell rustc -vV | sed -n 's/^host: //p')
FUZZ_FLAGS := -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table

fuzz: ## feed the parser spoilt queries for FUZZ_SECONDS
	@deploy/need.sh cc g++
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --locked --release --manifest-path tests/fuzz/Cargo.toml --target $(FUZZ_HOST) --target-dir target/fuzz
	mkdir -p target/fuzz/corpus target/fuzz/seeds target/fuzz/found
	awk 'BEGIN { RS = "" } { file = "target/fuzz/seeds/" NR; print > file; close(file) }' crates/kql/tests/queries/*.kql crates/kql/tests/mistakes/*.kql
	target/fuzz/$(FUZZ_HOST)/release/parse -max_total_time=$(FUZZ_SECONDS) -dict=tests/fuzz/kql.dict -max_len=2048 -timeout=10 -artifact_prefix=target/fuzz/found/ target/fuzz/corpus target/fuzz/seeds
