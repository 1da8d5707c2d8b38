# Two commands do everything: `make demo` runs the main job, `make test` passes the tests.
# Both need Go and a C compiler; the Go toolchain fetches the rest, pinned by go.mod and go.sum.

GO       ?= go
BIN      := bin/mkt
# minicore_disabled: gosnowflake without the library in it that comes without its source.
# grpcnotrace: gRPC without its page of traces, whose templates make the linker keep every method of every type.
TAGS     := minicore_disabled,grpcnotrace
VERSION  := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
PGO      := cmd/mkt/stream.pgo
LDFLAGS  := -s -w -X main.version=$(VERSION)
TOOLS    := $(CURDIR)/bin/tools

GOLANGCI_LINT := github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
GO_LICENSES   := github.com/google/go-licenses@v1.6.0
BENCHSTAT     := golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

.PHONY: all build demo test test-deep test-real test-clients check lint vuln licences licences-check licences-page fuzz bench bench-planner bench-stream pgo docs docs-check deploy-check fmt-check clean

all: build

build: ## Build bin/mkt and, for -local, bin/mkt-local.
	$(GO) build -pgo=$(PGO) -tags $(TAGS) -ldflags "$(LDFLAGS)" -o bin/ ./cmd/mkt ./cmd/mkt-local

demo: build ## Run the main job from nothing: plan, apply, stream, query, audit.
	./examples/demo.sh $(BIN)

test: ## Pass the tests, with the race detector.
	$(GO) test -race -tags $(TAGS) ./...

test-deep: ## Kill, cut off, refuse, throttle and slow down apply at every request it makes, not at a random few. Takes less than an hour on two cores that others use as well.
	MKT_TEST_DEEP=1 $(GO) test -count 1 -timeout 3h -tags $(TAGS) -run 'AtEveryRequest' -v ./cmd/mkt

test-real: ## Pass the suites on Apache Kafka, Apicurio and Azurite, and write docs/reference/conformance.md. See .ci/real/run.
	./.ci/real/run $(GO) run ./internal/realtest/conformance -tags $(TAGS) $(if $(CI),-check)

test-clients: build ## Drive the embedded stack with clients of Kafka, Azure and Snowflake that nobody here wrote. See .ci/clients/run.
	./.ci/clients/run $(BIN)

deploy-check: ## Build as the Dockerfile does, and hold the Kubernetes manifests against the API's types. Not a part of check: it fetches those types.
	cd deploy/validate && $(GO) test . && $(GO) run . ../kubernetes
	VERSION=$(VERSION) ./deploy/build.sh dist/mkt

check: fmt-check lint docs-check licences-page vuln ## What CI runs after the tests.

fmt-check:
	@out=$$(gofmt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofmt-ed:"; echo "$$out"; exit 1; }
	$(GO) mod tidy -diff

lint: $(TOOLS)/golangci-lint
	$(TOOLS)/golangci-lint run

$(TOOLS)/golangci-lint: Makefile
	GOBIN=$(TOOLS) $(GO) install $(GOLANGCI_LINT)

$(TOOLS)/govulncheck: Makefile
	GOBIN=$(TOOLS) $(GO) install $(GOVULNCHECK)

$(TOOLS)/go-licenses: Makefile
	GOBIN=$(TOOLS) $(GO) install $(GO_LICENSES)

vuln: $(TOOLS)/govulncheck ## Ask the vulnerability database about what mkt calls. MKT_TEST_REQUIRE=vulndb fails where it cannot be reached. See .ci/vuln.
	GOVULNCHECK=$< TAGS="$(TAGS)" ./.ci/vuln

licences: $(TOOLS)/go-licenses ## Write docs/reference/licences.md: every module in mkt and its licence. Takes minutes.
	GO="$(GO)" GO_LICENSES=$< TAGS="$(TAGS)" ./.ci/licences

licences-check: $(TOOLS)/go-licenses ## Read all licences again, and fail for one that is not allowed, such as the GPL. Takes minutes.
	GO="$(GO)" GO_LICENSES=$< TAGS="$(TAGS)" ./.ci/licences check

licences-page: ## Fail when docs/reference/licences.md lists other modules than mkt has, or a licence that is not allowed.
	GO="$(GO)" TAGS="$(TAGS)" ./.ci/licences page

fuzz: ## Run every fuzz target for a few seconds. Not a part of check: what it finds is new, not broken.
	GO="$(GO)" TAGS="$(TAGS)" FUZZTIME="$${FUZZTIME:-5s}" ./.ci/fuzz

bench: ## Run the benchmarks; compare two outputs with benchstat.
	$(GO) test -run '^$$' -bench . -benchmem -count "$${COUNT:-1}" -tags $(TAGS) ./...

bench-planner: build ## Measure plans beside OpenTofu, which it builds from the Go module proxy. Prints the first table of docs/benchmarks.md.
	GO="$(GO)" ./internal/bench/planner/peers.sh bin/bench
	$(GO) run ./internal/bench/planner -mkt $(BIN) -tofu bin/bench/tofu -providers bin/bench

bench-stream: build ## Measure the stream beside librdkafka and, from a checkout, Redpanda Connect: REDPANDA_CONNECT=path. DATA=file repeats its rows.
	$(GO) run -tags $(TAGS) ./internal/bench/stream -mkt $(BIN) -rows "$${ROWS:-1000000}" -data "$$DATA" -connect "$$REDPANDA_CONNECT"

pgo: ## Record anew where a stream spends its CPU, which the compiler goes by (docs/adr/0015). DATA=file repeats its rows.
	set -e; dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; \
	$(GO) build -trimpath -tags $(TAGS),profile -o "$$dir/" ./cmd/mkt ./cmd/mkt-local; \
	mkdir "$$dir/profiles"; \
	MKT_PROFILES="$$dir/profiles" $(GO) run -tags $(TAGS) ./internal/bench/stream -mkt "$$dir/mkt" -rows 3000000 -data "$$DATA" -only mkt; \
	$(GO) tool pprof -proto "$$dir"/profiles/*.pprof >$(PGO)

docs: build ## Write docs/reference/ anew from the described kinds and commands.
	$(BIN) docs docs/reference

docs-check: build ## Fail when docs/reference/ is not what the code describes.
	$(BIN) docs -check docs/reference

clean:
	rm -rf bin dist
