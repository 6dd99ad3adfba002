# What newcomers, CI and packagers call. `make help` lists the targets.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
# How long tests with repetitions run: 1 for every day, 10 for everything.
SCALE ?= 1
export SCALE
# Which suites `make test` runs: `crates` and folders below tests/, all by default.
SUITES ?=
export SUITES

# Seconds for each fuzz target, and which (all of tests/fuzz/corpus by default).
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=

# Fixed, whatever the environment says: tests and packagers look there.
TARGET_DIR ?= $(CURDIR)/target
export CARGO_TARGET_DIR := $(TARGET_DIR)
export RIVERO_RELEASE_DIR := $(TARGET_DIR)/release
RELEASE := $(RIVERO_RELEASE_DIR)

SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT_INSTALL = $(SUDO) apt-get update -q && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends
# kurento-client names a dependency by a git address; npm before 10 cannot replace such a one.
NPM = $(shell [ "$$(npm --version | cut -d. -f1)" -ge 10 ] && echo npm || echo npx --yes npm@10)
NPM_CI = $(NPM) ci --no-progress --loglevel=error
# $(call absent,command=package …): the packages whose command is not there.
absent = $(foreach pair,$(1),$(if $(shell command -v $(firstword $(subst =, ,$(pair)))),,$(lastword $(subst =, ,$(pair)))))

# What the media modules are built with, one element of each package that they run with, and the packages.
GSTREAMER_LIBRARIES := gstreamer-app-1.0 gstreamer-audio-1.0 gstreamer-video-1.0 gstreamer-pbutils-1.0
GSTREAMER_ELEMENTS := videoconvert vp8enc av1enc x264enc avdec_h264 textoverlay
GSTREAMER_IN_PYTHON := /usr/bin/python3 -c "import gi; gi.require_version('GstWebRTC', '1.0'); gi.require_version('GstRtspServer', '1.0')"
GSTREAMER_PACKAGES := libgstreamer1.0-dev libgstreamer-plugins-base1.0-dev gstreamer1.0-tools gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly gstreamer1.0-libav gstreamer1.0-x
# What labels are drawn with.
FONTS := /usr/share/fonts
# And one of those that the tests draw number plates with.
PLATE_FONT := $(FONTS)/truetype/dejavu/DejaVuSansCondensed-Bold.ttf
# What face-overlay and marker-detector are built with beside clang, whose library reads OpenCV's headers, and runs with.
OPENCV_FILES := /usr/include/opencv4/opencv2/objdetect.hpp /usr/share/opencv4/haarcascades/haarcascade_frontalface_alt.xml
OPENCV_PACKAGES := clang libopencv-objdetect-dev opencv-data
# What plate-detector is built with beside clang, and runs with.
TESSERACT_DATA := /usr/share/tesseract-ocr/*/tessdata/eng.traineddata
TESSERACT_PACKAGES := libtesseract-dev tesseract-ocr-eng

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 14

# --- Dependencies ---------------------------------------------------------

.PHONY: deps deps-system deps-opencv deps-tesseract deps-test
deps: deps-system deps-opencv deps-tesseract examples/vendor/.made host/console/node_modules/.made ## what building and the demo need (apt, npm)

deps-system:
	@command -v $(CARGO) >/dev/null || { echo "Rust is missing: install it with rustup (https://rustup.rs), then run make again." >&2; exit 1; }
	@missing="$(strip $(call absent,cc=build-essential pkg-config=pkg-config node=nodejs npm=npm))"; \
	if [ -n "$$missing" ]; then $(APT_INSTALL) $$missing; fi
	@complete=yes; pkg-config --exists $(GSTREAMER_LIBRARIES) || complete=no; \
	for element in $(GSTREAMER_ELEMENTS); do gst-inspect-1.0 --exists $$element || complete=no; done 2>/dev/null; \
	if [ $$complete = no ]; then $(APT_INSTALL) $(GSTREAMER_PACKAGES); fi
	@[ -n "$$(find $(FONTS) -name '*.[to]tf' -print -quit 2>/dev/null)" ] || { $(APT_INSTALL) fonts-dejavu-core; }

deps-opencv: deps-system
	@command -v clang >/dev/null && ls $(OPENCV_FILES) >/dev/null 2>&1 || { $(APT_INSTALL) $(OPENCV_PACKAGES); }

deps-tesseract: deps-opencv
	@pkg-config --exists tesseract lept && ls $(TESSERACT_DATA) >/dev/null 2>&1 || { $(APT_INSTALL) $(TESSERACT_PACKAGES); }

deps-test: deps deps-deb tests/node_modules/.made tests/.venv/.made tests/.chroot/.made ## what the tests need besides: Chromium, Firefox, aiortc, webrtcbin, cargo tools
	@missing="$(strip $(call absent,chromium=chromium firefox-esr=firefox-esr pulseaudio=pulseaudio ip=iproute2 unshare=util-linux ffprobe=ffmpeg openssl=openssl man=man-db turnserver=coturn baresip=baresip-core promtool=prometheus javac=default-jdk-headless)$(if $(wildcard /usr/lib/nginx/modules/ngx_rtmp_module.so),, libnginx-mod-rtmp)$(if $(wildcard /usr/sbin/nft),, nftables)$(if $(wildcard $(PLATE_FONT)),, fonts-dejavu-core fonts-dejavu-extra))"; \
	if [ -n "$$missing" ]; then $(APT_INSTALL) $$missing; fi
	@{ gst-inspect-1.0 webrtcbin && gst-inspect-1.0 nicesrc && $(GSTREAMER_IN_PYTHON); } >/dev/null 2>&1 \
	|| { $(APT_INSTALL) python3-gi gir1.2-gst-plugins-bad-1.0 gir1.2-gst-rtsp-server-1.0 gstreamer1.0-nice $(GSTREAMER_PACKAGES); }
# Without its updater: fewer crates to build.
	@$(CARGO) nextest --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-nextest --no-default-features --features default-no-update
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install --locked cargo-deny

examples/node_modules/.made: examples/package-lock.json | deps-system
	cd examples && $(NPM_CI)
	@touch $@

# The browser builds of kurento-client and kurento-utils, which npm does not have.
examples/vendor/.made: examples/node_modules/.made
	npm --prefix examples run --silent vendor
	@touch $@

host/console/node_modules/.made: host/console/package-lock.json | deps-system
	cd host/console && $(NPM_CI)
	@touch $@

tests/node_modules/.made: tests/package-lock.json | deps-system
	cd tests && $(NPM_CI)
	@touch $@

tests/.venv/.made: tests/aiortc/requirements.txt tests/recorder/requirements.txt
	@python3 -c 'import ensurepip' 2>/dev/null || { $(APT_INSTALL) python3 python3-venv; }
	python3 -m venv tests/.venv
	tests/.venv/bin/pip install --quiet --disable-pip-version-check $(addprefix --requirement ,$^)
	@touch $@

# Where apt gets the distribution itself from.
APT_SOURCES = $(wildcard $(addprefix /etc/apt/,sources.list sources.list.d/debian.sources sources.list.d/ubuntu.sources))
# A Debian in which the packages are installed, with what they depend on.
tests/.chroot/.made: Makefile | deps-deb
	rm -rf tests/.chroot
	mmdebstrap --quiet --variant=apt --include=adduser "$$(. /etc/os-release && echo $$VERSION_CODENAME)" tests/.chroot $(APT_SOURCES)
	@touch $@

# --- Building -------------------------------------------------------------

# Each folder of plugins/ is a module. What somebody who runs the server has no use for (fixtures, load
# generators, fuzz targets) is left to those who test it.
MODULES := $(patsubst plugins/%/Cargo.toml,%,$(wildcard plugins/*/Cargo.toml))
# Enough for most of the examples, and without OpenCV, whose bindings take longest to build.
FIRST_MODULES := codecs http-post passthrough player recorder webrtc
# The name of the crate in a module's folder.
crate-of = $(shell sed -n '0,/^name = /s/^name = "\(.*\)"$$/\1/p' plugins/$(1)/Cargo.toml)
# $(call build-packages,modules …): the server, `kmd`, the library for modules in C, and these modules.
build-packages = $(CARGO) build --release --locked --package rivero --package rivero-idl --package rivero-c $(foreach module,$(1),--package $(call crate-of,$(module)))

# The package for kurento-client with what Rivero has beyond Kurento; pages of examples/ load it.
define client-package
	@$(RELEASE)/kmd gen ts --rivero $(wildcard plugins/*/*.kmd.json) --output $(RELEASE)/js
	@install -D -m 644 $(RELEASE)/js/kurento-module-rivero/lib/index.js examples/vendor/kurento-module-rivero.js
endef

# What the management port shows at /console.
CONSOLE := $(RELEASE)/console/index.html
$(CONSOLE): host/console/node_modules/.made host/console/index.html host/console/build.mjs $(wildcard host/console/src/*)
	cd host/console && node build.mjs $(RELEASE)/console
	@touch $@

.PHONY: build build-first build-tests
build: deps-system deps-opencv deps-tesseract $(CONSOLE) ## release build: target/release/{rivero,kmd,console}, target/release/modules/<name>.so
	$(call build-packages,$(MODULES))
	@tests/collect-modules.sh plugins $(RELEASE) modules
	$(client-package)

build-first: deps-system $(CONSOLE)
	$(call build-packages,$(FIRST_MODULES))
	@tests/collect-modules.sh plugins $(RELEASE) modules $(FIRST_MODULES)
	$(client-package)

# With the tests in one go: their dependencies turn on features, with which half of the crates would be built a second time.
build-tests: deps-system deps-opencv deps-tesseract $(CONSOLE) ## the same, and what the tests and `make bench` need besides
	$(CARGO) build --release --workspace --lib --bins --tests --locked
	@tests/collect-modules.sh plugins $(RELEASE) modules
	@tests/collect-modules.sh tests/fixtures $(RELEASE) fixtures
	@tests/collect-modules.sh examples/modules $(RELEASE) example-modules
	$(client-package)

.PHONY: install
install: ## install below DESTDIR and PREFIX (default /usr/local) what `make build` made
	@[ -x $(RELEASE)/rivero ] || { echo "nothing to install: run 'make build' first" >&2; exit 1; }
	install -D -m 755 $(RELEASE)/rivero $(DESTDIR)$(PREFIX)/bin/rivero
	ln -sf rivero $(DESTDIR)$(PREFIX)/bin/kurento-media-server
	install -m 755 $(RELEASE)/kmd $(DESTDIR)$(PREFIX)/bin/kmd
	install -D -m 644 plugin-api/c/include/rivero.h $(DESTDIR)$(PREFIX)/include/rivero.h
	install -D -m 644 $(RELEASE)/librivero_module.a $(DESTDIR)$(PREFIX)/lib/librivero_module.a
	install -d $(DESTDIR)$(PREFIX)/lib/kurento
	install -m 644 $(RELEASE)/modules/*.so $(DESTDIR)$(PREFIX)/lib/kurento/
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/rivero/console $(RELEASE)/console/*
	for file in $$(cd $(RELEASE)/js && find kurento-module-rivero -type f); do \
		install -D -m 644 $(RELEASE)/js/$$file $(DESTDIR)$(PREFIX)/share/rivero/js/$$file; \
	done
	plugin-api/sdk/install.sh $(DESTDIR)$(PREFIX)/share/rivero/sdk
	install -d $(DESTDIR)$(PREFIX)/share/kurento/modules
	install -m 644 idl/interfaces/*.kmd.json plugins/*/*.kmd.json $(DESTDIR)$(PREFIX)/share/kurento/modules/
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 packaging/man/rivero.8
	ln -sf rivero.8 $(DESTDIR)$(PREFIX)/share/man/man8/kurento-media-server.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 packaging/man/kmd.1
	for folder in prometheus grafana coturn; do \
		install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/rivero/$$folder packaging/$$folder/*; \
	done
	for file in README.md plugins/*/README.md plugins/lib/uri/README.md $$(find docs -type f); do \
		install -D -m 644 $$file $(DESTDIR)$(PREFIX)/share/doc/rivero/$$file; \
	done

.PHONY: install-gallery deb deps-deb
install-gallery: examples/vendor/.made ## install the examples, and `rivero-gallery`, which shows them
	install -d $(DESTDIR)$(PREFIX)/bin
	cd examples && find . \( -name node_modules -o -path ./modules \) -prune -o -type f ! -name '.*' ! -name 'package*.json' ! -name demo.sh \
		-exec install -D -m 644 '{}' '$(abspath $(DESTDIR)$(PREFIX))/share/rivero/examples/{}' \;
	chmod 755 $(DESTDIR)$(PREFIX)/share/rivero/examples/serve.mjs
	ln -sf ../share/rivero/examples/serve.mjs $(DESTDIR)$(PREFIX)/bin/rivero-gallery
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man1 packaging/man/rivero-gallery.1

deps-deb: deps
	@missing="$(strip $(call absent,dh=debhelper lintian=lintian mmdebstrap=mmdebstrap))"; \
	if [ -n "$$missing" ]; then $(APT_INSTALL) $$missing; fi

deb: deps-deb build ## Debian packages of the server, each module and the gallery, in target/debian
	packaging/debian/build.sh $(RELEASE) $(TARGET_DIR)/debian

.PHONY: demo
demo: deps build-first ## build, start the server and the example gallery on http://localhost:8080
	@examples/demo.sh $(RELEASE) $(MAKE) --no-print-directory build

.PHONY: clean
clean: ## remove everything built or installed below this folder
	rm -rf $(TARGET_DIR) {tests,tests/kurento-client-6,examples,host/console}/node_modules tests/.venv tests/.chroot tests/.output examples/vendor

# --- Checking -------------------------------------------------------------

.PHONY: test test-full lint fmt fuzz property-tests baseline bench
test: deps-test lint build-tests ## the whole suite, repetitions reduced (SCALE=1), or SUITES="crates protocol …"
	tests/run-all.sh

test-full: ## the whole suite with full repetitions (kills of a recording server, switches of its source)
	$(MAKE) test SCALE=10

lint: ## formatting, clippy, licences and sources of dependencies
	$(CARGO) fmt --all --check
# In the profile of the build, which then has its generated code and macros ready.
	$(CARGO) clippy --release --workspace --all-targets --locked -- -D warnings
# Without `advisories`: its database comes by git, which build machines may not reach.
	$(CARGO) deny --locked check bans licenses sources

fmt: ## format the Rust sources
	$(CARGO) fmt --all

fuzz: deps-system ## libFuzzer on everything that reads bytes (FUZZ_SECONDS=60 each, FUZZ_TARGETS=…)
	tests/fuzz/run.sh $(FUZZ_SECONDS) $(FUZZ_TARGETS)

property-tests: ## every property test with many cases (100,000 × SCALE)
	PROPTEST_CASES=$$((100000 * SCALE)) $(CARGO) nextest run --release --workspace --locked

baseline: ## what calls are like in the simulator, written down anew (tests/simulator/README.md)
	$(CARGO) run --release --locked --package rivero-simulator -- --write
	$(CARGO) run --release --locked --package rivero-simulator -- --write --full

bench: deps-test build-tests ## forwarding, recording and transcoding beside their floors, latency, memory, threads, weak viewers, isolated modules, hostile clients, scrapes (ARGS=--help: options)
	$(RELEASE)/rivero-bench --release-dir $(RELEASE) $(ARGS)
	$(RELEASE)/rivero-bench --release-dir $(RELEASE) --viewers 100 --packets-per-frame 12 --control-seconds 0 --no-forwarder
	$(RELEASE)/rivero-bench --release-dir $(RELEASE) --viewers 20,100 --capture vp8 --control-seconds 0 --no-forwarder
	$(RELEASE)/rivero-bench --release-dir $(RELEASE) --viewers 20,100 --capture h264 --control-seconds 0 --no-forwarder
	tests/netns.sh node tests/bench/recording.mjs
	tests/netns.sh node tests/bench/weak-viewer.mjs
	tests/netns.sh node tests/bench/peers.mjs
	tests/netns.sh node tests/bench/conversion.mjs
	tests/netns.sh node tests/bench/converted-viewer.mjs
	tests/netns.sh node tests/bench/isolation.mjs
	tests/netns.sh node tests/bench/hostile-clients.mjs
	tests/netns.sh node tests/bench/scrape.mjs
	$(RELEASE)/rivero-bench --release-dir $(RELEASE) rtp
	$(RELEASE)/rivero-bench --release-dir $(RELEASE) transcode
