.DEFAULT_GOAL := help
.PHONY: help sandbox test check crash bench fuzz golden

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-10s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

sandbox: ## both fakes, the page and the bot on loopback; prints one URL
	go run ./cmd/sandbox

test: ## all tests
	go test ./...

check: ## what CI holds a change to: format, vet, staticcheck, no dead code, race detector
	.ci/check
	TEST_RAPID_CHECKS=100 go test ./...

crash: ## the real binary under random faults and kills, judged from outside (SCHEDULES, SEED, FAILOVERS=1)
	cd crash && go test -tags crash -count 1 -timeout 0 -run 'TestSchedules|TestMutants' -args \
	  -schedules $(or $(SCHEDULES),500) -seed $(or $(SEED),1) -mutants $(if $(FAILOVERS),-failovers)

bench: ## CPU, memory and latency next to floors measured in the same run
	go test -tags bench -run '^$$' -bench . -benchtime 1x -timeout 60m ./bench
	go test -run '^$$' -bench Scale -benchtime 1x -timeout 60m ./internal/store

fuzz: ## each fuzz target for 20 s
	@for pkg in $$(go list ./internal/... ./cmd/...); do \
	  for target in $$(go test -list '^Fuzz' $$pkg | grep '^Fuzz'); do \
	    go test -run '^$$' -fuzz "^$$target$$" -fuzztime 20s $$pkg || exit 1; \
	  done; done

golden: ## rewrite the golden screens of views and messages
	go test ./internal/slackui/words -run TestEveryScreen -update
