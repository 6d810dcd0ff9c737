.PHONY: help demo test quick fmt proto bless

help: ## print the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: ## build, and serve a demo with generated logs on port 8750
	cargo build --locked -p loggia
	target/debug/loggia dev --demo --data target/demo

test: ## run all tests
	cargo test --locked --workspace

quick: ## test the light crates, in seconds
	cargo test --locked -p kql -p schema -p catalog -p proto -p records

fmt: ## format the code
	cargo fmt --all

proto: ## generate the code of proto/ anew
	cargo run -q -p proto --example generate -- crates/proto/src/generated

bless: ## accept the answers of the cases in tests/cases
	LOGGIA_BLESS=1 cargo test -p loggia --test all every_case
