# make run     build bin/weir and serve the demo on 127.0.0.1:8000
# make build   build bin/weir
# make test    every test
# make test-go   the tests that need no Python
# make race    every test under the race detector, with invariants checked after each event
# make fuzz    each fuzz target for FUZZTIME
# make kill    kill Python workers and templates at random under load, for KILLTIME in each of three ways
# make lint    gofmt, go vet, staticcheck
# make browser   a headless Chromium clicks through examples/chat, examples/flask_chat, the demo, its page for operators and Django's admin (SCREENSHOTS=DIR keeps pictures)
# make h2spec   h2spec, the conformance test of HTTP/2, against weir and against golang.org/x/net/http2 alone
# make containers   the Dockerfiles and the manifests of deploy/, with the binary of the image in an empty root
# make cross   compile for the other systems
# make bench   compare with peers (wrk is used where it is installed): BENCH=quick under 2 minutes, BENCH=python Python's applications, BENCH=longpoll clients that wait, BENCH=full everything
# make bench-deps   install what bench misses, with apt-get
# make abuse   misbehaving clients beside a healthy one (PEERS=1: other servers too)
# make bench-longpoll   what clients cost that wait (PEERS=1: other servers too; FULL=1: 1,000,000 sockets)
# make bench-handover   what calls that block cost, and what others notice of them
# make bench-cluster   three weirs on three NATS servers, one of each killed (CLUSTERFLAGS='--topics 200 --duration 20s' for less)
# make bench-python   Python's applications: weir run beside gunicorn, uwsgi and others
# make bench-accesslog   what an access log in JSON costs, and whether it loses lines
# make bench-compare REF=COMMIT   CPU a request of the working tree and of COMMIT
GO ?= go
FUZZTIME ?= 12s
KILLTIME ?= 60s
BENCH ?= core
BENCHFLAGS ?=
ABUSEFLAGS ?=
COMPAREFLAGS ?=
LONGPOLLFLAGS ?=
HANDOVERFLAGS ?=
PYTHONFLAGS ?=
ACCESSLOGFLAGS ?=
TOOLS = $(CURDIR)/.ci/tools

CLUSTERFLAGS ?=

.PHONY: run build test test-go race fuzz kill lint browser h2spec containers cross bench bench-deps bench-compare bench-longpoll bench-handover bench-python bench-cluster bench-accesslog abuse clean

run: build
	bin/weir demo

build:
	$(GO) build -o bin/weir ./cmd/weir

# -count=1: tests that build bin/weir, or what imports it, are not to be taken from the cache.
test:
	.ci/packages programs python
	cd bench && $(GO) test -count=1 ./...
	/usr/bin/python3 -m unittest discover -s python -p 'worker*_test.py'
	$(GO) test -count=1 ./...
	$(MAKE) h2spec containers

# The part without Python.
test-go:
	.ci/packages programs
	cd bench && $(GO) test -skip '^TestPython' ./...
	$(GO) test -count=1 -skip '^TestRun' $$($(GO) list ./... | grep -v -e /python -e /deploy)

# Without the packages whose tests are of a program that is built without the detector; that of examples is built with it.
race:
	$(GO) test -count=1 -race -tags invariants $$($(GO) list ./... | grep -v -e '/cmd/weir$$' -e '/deploy$$')

# One target at a time: go test takes no more. A line "package target" each.
fuzz:
	@grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -n1 dirname | sort -u | while read -r dir; do \
	  for target in $$(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$$dir"/*_test.go | sed 's/func //'); do \
	    echo "fuzz $$dir $$target"; \
	    $(GO) test "$$dir" -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) || exit 1; \
	  done; \
	done

kill:
	$(GO) test -count=1 -timeout 1h -v -run '^TestRandomDeaths$$' ./python -kill $(KILLTIME)

lint:
	@unformatted=$$(gofmt -l $$(git ls-files -co --exclude-standard '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./... && $(GO) vet -tags invariants ./...
	cd bench && $(GO) vet ./...
	cd bench/techempower/src && $(GO) vet ./...
	cd $(TOOLS) && $(GO) build -o $(CURDIR)/bin/staticcheck honnef.co/go/tools/cmd/staticcheck
	bin/staticcheck ./...
	cd bench && ../bin/staticcheck ./...
	cd .ci/browser && $(GO) vet ./... && ../../bin/staticcheck ./...
	cd .ci/h2spec && $(GO) vet ./... && ../../bin/staticcheck ./...
	cd .ci/deploy && $(GO) vet ./... && ../../bin/staticcheck ./...

browser:
	.ci/packages programs python
	cd .ci/browser && $(GO) test -count=1 -timeout 3m ./...

h2spec:
	cd .ci/h2spec && $(GO) test -count=1 -timeout 3m ./...

containers:
	cd .ci/deploy && $(GO) test -count=1 -timeout 3m ./...

cross:
	for system in darwin/arm64 darwin/amd64 freebsd/amd64 netbsd/amd64 openbsd/amd64 linux/arm64; do \
	  echo "compile $$system"; \
	  GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) build ./... || exit 1; \
	done

# COMPAREFLAGS='-rounds 20' makes the interval narrower.
bench-compare:
	@GO="$(GO)" bench/compare.sh "$(REF)" $(COMPAREFLAGS)

# ACCESSLOGFLAGS are those of bench-compare.
bench-accesslog: build
	GO="$(GO)" bench/accesslog.sh $(ACCESSLOGFLAGS)

# The crowd in memory is a Go benchmark: the loops, the protocol and the hub without sockets.
bench-longpoll: build
	$(GO) test -run '^$$' -bench 'Crowd$$' -benchtime 1x -count 3 -timeout 15m ./server
	cd bench && $(GO) build -o bin/weir-bench . && $(if $(PEERS),bin/weir-bench run -preset longpoll -weir ../bin/weir $(BENCHFLAGS) &&) \
	  bin/weir-bench longpoll --weir ../bin/weir $(if $(FULL),--full) $(LONGPOLLFLAGS)

bench-handover: build
	cd bench && $(GO) build -o bin/weir-bench . && bin/weir-bench handover --weir ../bin/weir $(HANDOVERFLAGS)

bench-python: build
	cd bench && $(GO) build -o bin/weir-bench . && bin/weir-bench run -preset python -weir ../bin/weir $(BENCHFLAGS)
	cd bench && bin/weir-bench python --weir ../bin/weir $(PYTHONFLAGS)

# NATS is built at the version that weir has inside.
bench-cluster: build
	$(GO) build -o bench/bin/nats-server github.com/nats-io/nats-server/v2
	cd bench && $(GO) build -o bin/weir-cluster ./cluster && bin/weir-cluster --weir ../bin/weir --nats bin/nats-server --markdown $(CLUSTERFLAGS)

bench: build
	cd bench && $(GO) build -o bin/weir-bench . && bin/weir-bench run -preset $(BENCH) -weir ../bin/weir $(BENCHFLAGS)

bench-deps:
	cd bench && $(GO) build -o bin/weir-bench . && packages=$$(bin/weir-bench list -packages) && \
	  if [ -n "$$packages" ]; then sudo=; [ "$$(id -u)" = 0 ] || sudo=sudo; $$sudo apt-get install -y $$packages; fi

abuse: build
	cd bench && $(GO) build -o bin/weir-abuse ./abuse && bin/weir-abuse --weir ../bin/weir $(if $(PEERS),--peers) $(ABUSEFLAGS)

clean:
	rm -rf bin bench/bin
