# libos: `make help` lists every target. Go, make, git and a POSIX shell suffice.
#
# Which configuration a command is about
#
# A build has a NAME, a configuration file and a folder:
#
#   NAME      configuration file     folder
#   default   .config                build/default/
#   NAME      build/NAME/.config     build/NAME/
#
# * NAME_defconfig names the build NAME; tinyconfig, allyesconfig, allnoconfig,
#   allmodconfig, alldefconfig and randconfig name it tiny, allyes, allno,
#   allmod, alldef and rand; defconfig names it default.
# * A name holds for the whole command line, whatever the order of its goals:
#   `make tiny_defconfig menuconfig all` configures, edits and builds build/tiny.
# * BUILD=NAME on the command line chooses the name itself: `make BUILD=tiny` goes
#   on with build/tiny later, `make BUILD=mine tinyconfig` starts build/mine.
#   Nothing else is remembered between two commands: `make` alone is build/default.
# * Every configuration target is passed on as `build/libosbuild TARGET`, with
#   KCONFIG_CONFIG naming the file above unless the environment already does
#   (unset for default: .config is what libosbuild takes by itself).
# * `build/libosbuild build NAME` reads the same file, takes defconfig for the
#   build default if there is none, and writes build/NAME/libos, with what it
#   generated in build/NAME/.gen (overlay.json there gives `go test -overlay` the
#   options of the build); generate and size take NAME in the same way.

.POSIX:
.NOTPARALLEL:
.SUFFIXES:

CGO_ENABLED ?= 0
export CGO_ENABLED
GO = go

NAMED := $(sort $(patsubst %_defconfig,%,$(filter %_defconfig,$(MAKECMDGOALS))) \
	$(patsubst %config,%,$(filter tinyconfig allyesconfig allnoconfig allmodconfig alldefconfig randconfig,$(MAKECMDGOALS))) \
	$(patsubst defconfig,default,$(filter defconfig,$(MAKECMDGOALS))))
BUILD := $(or $(NAMED),default)
ifneq ($(words $(BUILD)),1)
$(error one command line is about one build, not $(words $(BUILD)) ($(BUILD)): run make once for each)
endif
ifneq ($(BUILD),default)
KCONFIG_CONFIG ?= build/$(BUILD)/.config
export KCONFIG_CONFIG
endif

OSBUILD = build/libosbuild
LIBOS   = build/$(BUILD)/libos

##@ Building
.PHONY: all libosbuild generate generate-checked-in build library size clean
all: build ## build/libosbuild and build/$(BUILD)/libos (what make alone does)
libosbuild: ## build/libosbuild, the configuration and build tool
	@mkdir -p build
	$(GO) build -o $(OSBUILD) ./cmd/libosbuild
generate: libosbuild ## only generate the Go code of a build
	$(OSBUILD) generate $(BUILD)
generate-checked-in: libosbuild ## the generated files that are checked in (defconfig's)
	$(OSBUILD) generate --checked-in
build: libosbuild ## generate and compile build/$(BUILD)/libos
	$(OSBUILD) build $(BUILD)
library: libosbuild ## (gcc) build/$(BUILD)/liblibos-VERSION.so and libos.h, the stack for C programs
	$(OSBUILD) library $(BUILD)
size: build ## what each chosen symbol adds to the binary
	$(OSBUILD) size $(BUILD)
clean: ## remove build/ (.config stays)
	rm -rf build

##@ Configuring (BUILD=NAME chooses the build; X_defconfig names it X)
CONFIGURE = menuconfig config oldconfig olddefconfig savedefconfig allnoconfig allyesconfig allmodconfig alldefconfig \
	randconfig tinyconfig defconfig listnewconfig helpnewconfig mod2yes mod2no yes2mod mod2yesconfig mod2noconfig yes2modconfig \
	diffconfig
.PHONY: $(CONFIGURE)
## menuconfig: change the configuration in a full-screen menu
## config oldconfig olddefconfig: ask for all symbols; for new ones; take their defaults
## defconfig X_defconfig X.config: start from defaults, from X, or merge a fragment
## allyesconfig allnoconfig allmodconfig alldefconfig tinyconfig randconfig: extremes
## savedefconfig: write the shortest defconfig
## listnewconfig helpnewconfig diffconfig: what is new, what changed
## mod2yes yes2mod mod2no: turn modules into built-ins and so on
$(CONFIGURE): libosbuild
	@mkdir -p build/$(BUILD)
	$(OSBUILD) $@
%_defconfig %.config: libosbuild
	@mkdir -p build/$(BUILD)
	$(OSBUILD) $@
.PHONY: merge
merge: libosbuild ## lay fragments over each other, as in: make merge FILES="a.config b.config"
	@mkdir -p build/$(BUILD)
	@$(if $(FILES),,echo "merge what? make merge FILES=\"BASE FRAGMENT...\"" >&2; exit 2)
	$(OSBUILD) merge $(FILES)
# The symbols given on the command line: make set CONFIG_UDP=n CONFIG_TUN=n run
SYMBOLS = $(foreach v,$(filter CONFIG_%,$(.VARIABLES)),$(if $(filter command,$(origin $v)),$v=$(value $v)))
.PHONY: set get explain
set: libosbuild ## set symbols, as in: make set CONFIG_UDP=n run
	@mkdir -p build/$(BUILD)
	@$(if $(SYMBOLS),,echo "set what? make set CONFIG_X=VALUE..." >&2; exit 2)
	$(OSBUILD) set $(foreach s,$(SYMBOLS),'$(s)')
## get explain: the value of SYMBOL=X, and why it has it
get explain: libosbuild
	@$(if $(SYMBOL),,echo "$@ what? make $@ SYMBOL=X" >&2; exit 2)
	@$(OSBUILD) $@ $(SYMBOL)

##@ Running
.PHONY: run run-tun run-modules run-library bench soak
run: build ## two hosts and a router in one process, a download through them
	$(LIBOS) demo
run-tun: build ## (root) the same stack on a TUN, against the kernel's ping and curl
	$(LIBOS) demo --tun
run-modules: libosbuild ## two hosts and a router with UDP and a device as modules, killed in the middle and back
	@mkdir -p build/modules
	KCONFIG_CONFIG=build/modules/.config $(OSBUILD) defconfig
	KCONFIG_CONFIG=build/modules/.config $(OSBUILD) set MODULES=y UDP=m PCAP_REPLAY=m
	KCONFIG_CONFIG=build/modules/.config $(OSBUILD) build modules
	build/modules/libos demo --modules
run-library: library ## (gcc) a C program: two stacks ping each other in its virtual time
	gcc -Wall -Wextra -Ibuild/$(BUILD) examples/c/ping.c build/$(BUILD)/liblibos.so -Wl,-rpath,$(CURDIR)/build/$(BUILD) -o build/$(BUILD)/ping
	build/$(BUILD)/ping
.PHONY: apps apps-broken
apps: build ## (root installs them) programs of the distribution on two instances: PASS or FAIL for each; ROWS="ping curl*" for some
	@GO=$(GO) sh .ci/apps $(LIBOS) $(ROWS)
apps-broken: build ## the same over a link that damages every frame: whatever moves data must fail
	@GO=$(GO) sh .ci/apps $(LIBOS) -broken -out build/apps-broken $(ROWS)
bench: ## all figures against their peers; NAME=tcp-rr for one
	cd bench && $(GO) run . $(if $(NAME),-name=$(NAME))

.PHONY: proto
proto: ## plugin/control/*.pb.go from module.proto (needs protoc)
	@command -v protoc >/dev/null || { echo "protoc is missing: install protobuf-compiler"; exit 1; }
	mkdir -p build/proto
	GOBIN=$(CURDIR)/build/proto $(GO) install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
	GOBIN=$(CURDIR)/build/proto $(GO) install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
	cd plugin/control && PATH="$(CURDIR)/build/proto:$$PATH" protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative module.proto

##@ Testing
.PHONY: test race vet lint fuzz matrix
TESTFLAGS ?=
# Go modules of their own inside the tree.
NESTED = $(patsubst %/go.mod,%,$(wildcard bench/go.mod examples/modules/*/go.mod))
REPORT = build/testreport
.PHONY: $(REPORT)
$(REPORT):
	@mkdir -p build
	@$(GO) build -o $@ ./gen/contracts/cmd/testreport
test: $(REPORT) ## everything; needs only Go, skips are listed with their reasons
	@rc=0; $(REPORT) -name="make test" -timeout 30m $(TESTFLAGS) ./... || rc=$$?; \
	for d in $(NESTED); do (cd $$d && $(CURDIR)/$(REPORT) -name="make test, $$d" $(TESTFLAGS) ./...) || rc=$$?; done; exit $$rc
.PHONY: packets
packets: $(REPORT) ## (root) every packet script on the host's kernel, which must pass them, too
	@$(REPORT) -name="make packets" -timeout 10m $(TESTFLAGS) -count=1 -tags=kernelscripts -run OnTheKernel ./packetdrill
# What runs on several goroutines at once, and all of the stack that it drives; by
# itself a protocol is one state machine, under its Domain's lock.
CONCURRENT = $(wildcard allocator core guest host device plugin posix sim)
race: $(REPORT) ## the concurrent parts under the race detector (needs gcc)
	@CGO_ENABLED=1 $(REPORT) -name="make race" -timeout 30m $(TESTFLAGS) -race -short $(if $(CONCURRENT),$(CONCURRENT:%=./%/...),./...)
vet: ## go vet, bench/ included
	$(GO) vet ./...
	@for d in $(NESTED); do echo "cd $$d && $(GO) vet ./..."; (cd $$d && $(GO) vet ./...) || exit; done
lint: ## gofmt and the analyzers of the contracts
	@bad=$$(git ls-files -co --exclude-standard '*.go' | grep -v /testdata/ | while read -r f; do [ ! -f "$$f" ] || echo "$$f"; done | xargs "$$($(GO) env GOROOT)/bin/gofmt" -l) || exit 1; \
	if [ -n "$$bad" ]; then echo "not formatted (gofmt -w):"; echo "$$bad"; exit 1; fi
	$(GO) run ./gen/contracts/cmd/contracts ./...
FUZZTIME ?= 5s
fuzz: ## every fuzz target for FUZZTIME (5s) each
	@GO=$(GO) FUZZTIME=$(FUZZTIME) sh .ci/fuzz
soak: $(REPORT) ## the tests named …Soak… in full length (LIBOS_SOAK=1), hours, mutations of the code among them
	@LIBOS_SOAK=1 $(REPORT) -name="make soak" -timeout 6h -run Soak $(TESTFLAGS) ./...
matrix: libosbuild ## build ten configurations, test the protocols of each
	@GO=$(GO) MAKE=$(MAKE) sh .ci/matrix

##@ Help
.PHONY: help
help: ## this list
	@sed -n \
	-e 's/^##@ \(.*\)/\n\1/p' \
	-e 's/^## \([^:]*\): \(.*\)/  \1: \2/p' \
	-e 's/$$(BUILD)/NAME/; s/^\([a-z-]*\):[^#]*## \(.*\)/  \1: \2/p' Makefile
