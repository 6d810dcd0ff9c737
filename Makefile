.PHONY: help demo test check quick fmt clippy tidy deny proto bless bench fuzz

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
	INSTA_UPDATE=always cargo test --locked -p loggia --test all plans

bench: ## four shards beside one DataFusion, in one run
	@deploy/need.sh cc
	cargo bench --locked -p testkit --bench shards
