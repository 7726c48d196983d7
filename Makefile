.DEFAULT_GOAL := help
.PHONY: help sandbox test check crash bench scale compare figures fuzz golden release twice vulnerable verify

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-11s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

sandbox: ## both fakes, the page and the bot on loopback; prints one URL
	go run ./cmd/sandbox

test: ## all tests
	go test ./...

check: ## format, vet, staticcheck, no dead code, all tests with the race detector
	.ci/check
	.ci/from-tarball
	TEST_RAPID_CHECKS=100 go test ./...
	$(MAKE) twice

crash: ## the real binary under random faults and kills, judged from outside (SCHEDULES, SEED, FAILOVERS=1)
	cd crash && go test -tags crash -count 1 -timeout 0 -run 'TestSchedules|TestMutants' -args \
	  -schedules $(or $(SCHEDULES),690) -seed $(or $(SEED),1) -mutants $(if $(FAILOVERS),-failovers)

bench: ## CPU, memory and latency next to floors measured in the same run; one table (ROWS=Bot/command for some, PROFILE=folder)
	go test -tags bench -run '^$$' -bench '$(or $(ROWS),Bot)' -benchtime 1x -timeout 60m ./bench $(if $(PROFILE),-args -profile $(abspath $(PROFILE)))

scale: ## what is asked of the store again and again, next to 1,000,000 ended requests and without
	go test -run '^$$' -bench Scale -benchtime 1x -timeout 60m ./internal/store

verify: ## how long bot audit verify takes for 1,000,000 events, on either database
	go test -run '^$$' -bench Verify -benchtime 1x -timeout 60m ./internal/store/seals

compare: ## the rows of another tree's bot and of this one's, in turn (OLD=tree, ROWS=Bot/command, RUNS=6)
	@dir=$$(mktemp -d) && (cd "$(OLD)" && go build -o $$dir/old ./cmd/bot) && go build -o $$dir/new ./cmd/bot && \
	go test -tags bench -c -o $$dir/measure ./bench && cd bench && \
	for run in $$(seq $(or $(RUNS),6)); do for side in old new; do \
	  $$dir/measure -test.run '^$$' -test.bench '$(or $(ROWS),Bot)' -test.benchtime 1x -bot $$dir/$$side >>$$dir/$$side.txt || exit 1; \
	done; done && go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da $$dir/old.txt $$dir/new.txt

figures: ## docs/figures.md: size, start, memory, and what attacks cost
	go test -tags bench -run '^$$' -bench 'Bot/^(idle|size|ready|abuse|verify)$$' -benchtime 1x -timeout 60m ./bench -args -figures $(abspath docs/figures.md)

# By default Go spends up to a minute on making one new input shorter, and runs no other meanwhile.
fuzz: ## each fuzz target for 20 s (TIME=10m)
	@for pkg in $$(go list ./internal/... ./cmd/...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(TIME),20s) -fuzzminimizetime 100x $$pkg || exit 1; \
	  done; done

release: ## archives for linux and SHA256SUMS, in dist (VERSION=v1.2.3)
	go run ./deploy/release -version "$(VERSION)"

twice: ## builds a release twice, from two folders, and compares
	go test -tags twice -count 1 -timeout 60m -run SameFromAnyPath ./deploy/release

vulnerable: ## known vulnerabilities in what the bot calls; needs vuln.go.dev
	go run golang.org/x/vuln/cmd/govulncheck@v1.9.0 ./cmd/bot

golden: ## rewrite the golden screens of views and messages
	go test ./internal/slackui/words -run TestEveryScreen -update
