GO ?= go

.PHONY: demo test bench lint build

demo: build ## generate, build, serve, and print lookups to try; Ctrl-C ends it
	@exec bin/matchd demo

test: ## all tests, without the race detector
	$(GO) test ./...

bench: ## lookups beside a Go map and the machine's limit, 1 and 10 million ids
	$(GO) run ./cmd/matchd bench lookup --ids 1000000
	$(GO) run ./cmd/matchd bench lookup --ids 10000000

lint:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@list=$$($(GO) tool gofumpt -l .) && if [ -n "$$list" ]; then echo "gofumpt would change:"; echo "$$list"; exit 1; fi

build:
	$(GO) build -o bin/matchd ./cmd/matchd
