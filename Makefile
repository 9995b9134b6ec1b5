GO ?= go

# Pebble's zstd in C takes a minute to compile, and nothing here asks for it.
export GOFLAGS := $(shell $(GO) env GOFLAGS) -tags=pebblegozstd

.PHONY: demo test torture soak bench bench-full bench-build bench-enrich bench-enrich-10m bench-log bench-live peers peers-test lint build

demo: build ## generate, build, serve, print lookups to try, show enriched bid requests; Ctrl-C ends it
	@exec bin/matchd demo

test: ## all tests, without the race detector
	$(GO) test ./...

torture: ## kill the daemon a thousand times while 16 clients send changes, some ten minutes
	MATCHD_KILLS=1000 $(GO) test -count=1 -timeout 1h -v -run 'TestTorture$$' ./cmd/matchd

soak: ## swap every second for a minute during changes and lookups, with the race detector
	CGO_ENABLED=1 MATCHD_SOAK=1m $(GO) test -race -count=1 -v -run 'TestSoak$$' ./engine

bench: build peers ## everything about lookups, judged by the bars, 10 million ids, a quarter of an hour
	bin/matchd bench all --ids 10000000 --wire-ids 10000000 --probes 500000 --peers bin/peers \
		--out bench/results/bench.md --bench-out bench/results/bench.txt

bench-full: build peers ## the same with 100 million ids in process; needs 24 GiB of memory and 10 GB of disk
	bin/matchd bench all --ids 100000000 --wire-ids 10000000 --probes 500000 --peers bin/peers \
		--out bench/results/full.md --bench-out bench/results/full.txt

bench-build: build ## builds beside sort and as they grow to 100 million ids, an hour at most; needs 50 GB of disk
	bin/matchd bench build --out bench/results/build.md

bench-enrich: build ## enriching bid requests, judged by the bars, a million ids, a few minutes
	bin/matchd bench enrich --memory copy --out bench/results/enrich.md --bench-out bench/results/enrich.txt

bench-enrich-10m: build ## the same with 10 million ids, where a lookup is mostly waiting for memory
	bin/matchd bench enrich --ids 10000000 --out bench/results/enrich-10m.md

bench-log: build ## the log of live changes beside Pebble, judged by the bars, two minutes; of the disk that has the temporary files
	bin/matchd bench log --out bench/results/log.md --bench-out bench/results/log.txt

bench-live: build ## lookups beside a million live changes, judged by the bar, 10 million ids, two minutes
	bin/matchd bench live --out bench/results/live.md --bench-out bench/results/live.txt

lint:
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@list=$$($(GO) tool gofumpt -l .) && if [ -n "$$list" ]; then echo "gofumpt would change:"; echo "$$list"; exit 1; fi

build:
	$(GO) build -o bin/matchd ./cmd/matchd

peers: ## the embedded stores that the bench measures matchd beside
	cd bench/peers && $(GO) build -o ../../bin/peers .

peers-test: ## vet, lint and test the module of the embedded stores
	$(GO) build -o bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	cd bench/peers && $(GO) mod tidy -diff && $(GO) vet ./... && ../../bin/staticcheck ./... && $(GO) test ./...
