# ngx_http_aop_module: build, test, install. `make` alone lists the targets.

NGINX      ?= $(or $(shell command -v nginx 2>/dev/null),/usr/sbin/nginx)
NGINX_SRC  ?= /usr/share/nginx/src
CONFIGURE  ?=
AOP_CFLAGS ?=
DOCS_URL   ?=
PREFIX     ?= /usr/local
BUILD       = build
TESTS       = $(sort $(wildcard t/unit/*.c) $(wildcard t/*.t))

# Warnings are errors, and the tests' own module is built, for those who work on
# the module: from the first "make test" or "make check" in a folder on. Whoever
# builds it with another compiler or another nginx need not care for either.

workers = $(filter test check,$(MAKECMDGOALS)) \
          $(shell grep -s '^strict: yes' $(BUILD)/tool.facts)
strict := $(or $(STRICT),$(if $(strip $(workers)),yes,no))

WARNINGS = $(if $(filter yes,$(strict)),-Wall -Wextra -Wno-unused-parameter \
           -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror)

# The status page links to the documents there. Two shells take quotes away.

ifneq ($(DOCS_URL),)
override AOP_CFLAGS += -DNGX_AOP_DOCS_URL=\"$(DOCS_URL)\"
endif

# A path may have spaces, which make's own functions take apart.

path = $(if $(filter /%,$(1)),$(1),$(CURDIR)/$(1))

so      = ngx_http_aop_module.so
module  = $(call path,$(BUILD))/$(so)
facts   = $(BUILD)/nginx.facts
toolset = $(BUILD)/tool.facts
tree    = $(BUILD)/nginx
unit    = $(BUILD)/unit
ctl     = $(BUILD)/ctl
aopctl  = $(BUILD)/aopctl
tool    = $(if $(wildcard aopctl/*.c),aopctl)
nginx   = $(call path,$(NGINX))
source  = $(call path,$(NGINX_SRC))
addons  = . $(if $(filter yes,$(strict)),$(patsubst \
              %/config,%,$(wildcard t/module/config)))
sources = ngx_http_aop_module.c $(wildcard src/*.[ch] src/*/*.[ch])
tests   = $(patsubst t/unit/%.c,$(unit)/%.t,$(TESTS))
core    = $(sort $(wildcard src/core/*.c))
rooms   = $(patsubst %/,%,$(sort src/ $(dir $(wildcard src/*/*.h src/*/*.c))))
ctl_src = $(sort $(wildcard aopctl/*.c aopctl/*/*.c))
ctl_dir = $(patsubst %/,%,$(sort aopctl/ $(dir $(wildcard aopctl/*/*.c))))
long    = $(sort $(wildcard t/long/*.t))
run     = NGINX='$(nginx)' AOP_MODULE='$(module)' \
          AOPCTL='$(call path,$(aopctl))' CMOCKA_MESSAGE_OUTPUT=TAP
prove   = $(run) prove -j2 --failures --comments -It/lib
jobs    = $(if $(findstring --jobserver,$(MAKEFLAGS)),,-j$(shell nproc))
install = t/tools/install-packages '$(nginx)' '$(source)'

# No variable of our command line is meant for nginx's own Makefile.

MAKEOVERRIDES =
.DELETE_ON_ERROR:


.PHONY: help deps build install uninstall test quick demo bench check \
        check-mutants check-long sanitize valgrind fuzz coverage soak deb \
        deb-nginx matrix builds release man screenshot clean tool aopctl \
        FORCE

help: ## List the targets (the default)
	@sed -n 's/^\([a-z-]*\):.*## /\1 /p' Makefile \
	    | while read -r name what; do printf '%-15s%s\n' "$$name" "$$what"; done
	@echo
	@echo 'NGINX=path     the nginx to build for and test with'
	@echo 'NGINX_SRC=dir  its headers or sources, if not those of nginx-dev'
	@echo 'CONFIGURE=args their configure arguments, if not those of nginx'
	@echo 'TESTS=files    tests for "make test", such as "t/modes.t t/unit/pem.c"'
	@echo 'BUILD=dir      folder for all output, if not build/'
	@echo 'AOP_CFLAGS=... further compiler flags'
	@echo 'DOCS_URL=url   where docs/ is published, for links of the status page'
	@echo 'DESTDIR=dir    root of "make install"'
	@echo 'PREFIX=dir     where to install aopctl, if not in /usr/local'


deps: ## Install the packages that building and testing needs (Debian)
	@$(install)


# A plain build installs no packages: it says what it lacks.

ifneq ($(filter test demo bench check check-% soak valgrind,$(MAKECMDGOALS)),)
$(facts) $(toolset): deps
endif

# The facts are rewritten only when they have changed, and all else is built
# anew then: another nginx, OpenSSL, compiler, flag, or list of files. The core
# and aopctl know of no nginx, and have facts of their own.

changed = cmp -s $@.new $@ || mv $@.new $@; rm -f $@.new

$(facts): FORCE
	@mkdir -p $(BUILD)
	@t/tools/nginx-facts '$(nginx)' '$(source)' > $@.new
	@printf '%s\n' 'flags: $(WARNINGS) $(AOP_CFLAGS)' "configure: $$CONFIGURE" \
	    'files: $(sort $(addsuffix /config,$(addons)) $(sources))' >> $@.new
	@$(changed)

$(toolset): FORCE
	@mkdir -p $(BUILD)
	@{ echo 'strict: $(strict)'; \
	   echo 'flags: $(WARNINGS) $(AOP_CFLAGS)'; \
	   $(CC) --version; \
	   echo '#include <openssl/opensslv.h>' | $(CC) $(AOP_CFLAGS) -E -dM - \
	       | grep ' OPENSSL_VERSION_TEXT '; } > $@.new || { \
	   echo 'A C compiler and the headers of OpenSSL are needed: gcc and' \
	       'libssl-dev ("make deps" installs them)' >&2; exit 1; }
	@$(changed)

export CONFIGURE

$(tree)/objs/Makefile: $(facts) $(addsuffix /config,$(addons))
	@head -n 3 $(facts)
	@AOP_CFLAGS='$(WARNINGS) $(AOP_CFLAGS)' \
	    t/tools/nginx-configure '$(nginx)' '$(source)' $(tree) \
	    $(patsubst %,"$(CURDIR)/%",$(addons))

# install makes a new file where cp would write into the old one, which a
# running nginx may have mapped.

build: $(tree)/objs/Makefile $(toolset) $(tool) ## Build ngx_http_aop_module.so and aopctl
	+@$(MAKE) -s --no-print-directory $(jobs) -C $(tree) -f objs/Makefile modules
	@for so in $(tree)/objs/*.so; do \
	    t/tools/nginx-signature '$(nginx)' $$so || exit 1; \
	    cmp -s $$so $(BUILD)/$${so##*/} && continue; \
	    install -m 644 $$so $(BUILD) && echo "built $(BUILD)/$${so##*/}"; \
	done


install: build ## Copy the module to nginx's folder, aopctl to PREFIX
	@dir=$$(sed -n 's/^modules: //p' $(facts)) && \
	install -D -m 644 $(BUILD)/$(so) "$(DESTDIR)$$dir/$(so)" && \
	echo "installed; nginx.conf needs, at its top:" && \
	echo "    load_module $$dir/$(so);"
	@[ ! -e $(aopctl) ] || { \
	install -D -m 755 $(aopctl) "$(DESTDIR)$(PREFIX)/bin/aopctl" && \
	install -D -m 644 aopctl/aopctl.1 \
	    "$(DESTDIR)$(PREFIX)/share/man/man1/aopctl.1" && \
	install -D -m 644 aopctl/aopctl.bash-completion \
	    "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/aopctl" && \
	install -D -m 644 aopctl/_aopctl \
	    "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_aopctl" && \
	install -D -m 644 aopctl/aopctl.fish \
	    "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/aopctl.fish" && \
	echo "installed $(PREFIX)/bin/aopctl"; }


uninstall: $(facts) ## Remove the files of "make install"
	@dir=$$(sed -n 's/^modules: //p' $(facts)) && \
	rm -f "$(DESTDIR)$$dir/$(so)" \
	    "$(DESTDIR)$(PREFIX)/bin/aopctl" \
	    "$(DESTDIR)$(PREFIX)/share/man/man1/aopctl.1" \
	    "$(DESTDIR)$(PREFIX)/share/bash-completion/completions/aopctl" \
	    "$(DESTDIR)$(PREFIX)/share/zsh/site-functions/_aopctl" \
	    "$(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/aopctl.fish"


# The unit tests see the core only, which needs OpenSSL and C and no nginx. In a
# library, a file of the core can also be included by its test. cmocka 2 calls
# deprecated what cmocka 1 has no other name for.

unit_cflags = -g -O2 -std=gnu99 $(WARNINGS) -Wno-error=deprecated-declarations \
              $(AOP_CFLAGS) $(addprefix -I,$(rooms)) -MMD -MP -MF $@.d -MT $@

$(unit)/%.o: src/%.c $(toolset)
	@mkdir -p $(@D)
	@$(CC) $(unit_cflags) -c -o $@ $<

$(unit)/core.a: $(core:src/%.c=$(unit)/%.o)
	@rm -f $@
	@$(AR) rcs $@ $^

$(unit)/%.t: t/unit/%.c $(unit)/core.a $(toolset)
	@$(CC) $(unit_cflags) -o $@ $< $(unit)/core.a -lcmocka -lssl -lcrypto

# aopctl is the core with libraries that the module does not need: where their
# headers are not installed, the module is built all the same.

tool_needs = { \
	echo 'aopctl is not built: it needs the headers of curl, jansson,'; \
	echo 'libarchive, nghttp2, pcre2 and zlib ("make deps" installs them)'; }
tool_has   = printf '\#include <%s>\n' archive.h curl/curl.h jansson.h \
	    nghttp2/nghttp2.h pcre2.h zlib.h \
	    | $(CC) $(AOP_CFLAGS) -DPCRE2_CODE_UNIT_WIDTH=8 -E - > /dev/null 2>&1
tool_make  = $(MAKE) -s --no-print-directory $(jobs) BUILD='$(BUILD)' CC='$(CC)' \
	    AOP_CFLAGS='$(AOP_CFLAGS)' STRICT=$(strict) \
	    $(if $(filter command% environment%,$(origin WARNINGS)),\
	        WARNINGS='$(WARNINGS)') $(aopctl)

tool: $(toolset) ## Build aopctl alone, for which no nginx is needed
	+@$(tool_has) || { $(tool_needs) >&2; exit 1; }; $(tool_make)

aopctl: $(toolset)
	+@if $(tool_has); then $(tool_make); else rm -f $(aopctl); $(tool_needs); fi

$(ctl)/%.o: aopctl/%.c $(toolset)
	@mkdir -p $(@D)
	@$(CC) $(unit_cflags) $(addprefix -I,$(ctl_dir)) -D_GNU_SOURCE -c -o $@ $<

$(aopctl): $(patsubst aopctl/%.c,$(ctl)/%.o,$(ctl_src)) \
           $(unit)/core.a
	@$(CC) $(AOP_CFLAGS) -pthread -o $@ $^ -larchive -lcurl -ljansson \
	    -lnghttp2 -lpcre2-8 -lz -lssl -lcrypto
	@echo "built $(BUILD)/aopctl"

-include $(wildcard $(unit)/*.d $(unit)/*/*.d $(ctl)/*.d $(ctl)/*/*.d)


test: build $(filter $(unit)/%,$(tests)) ## Run the tests
	@$(prove) $(tests)


# What "make test" runs is in TESTS when the file is read, so it is read again.

quick: ## Run the unit tests and those that your change can break, 20 s
	+@$(MAKE) -s --no-print-directory test \
	    TESTS="$$(t/tools/quick-tests | tr '\n' ' ')"


demo: build ## Show the rollout with a real nginx on loopback
	@$(run) perl -It/lib t/demo.pl


bench: build ## Measure the cost against stock nginx; BENCH=quick or SCALE=1
	@$(install) valgrind
ifdef SCALE
	@$(run) perl t/bench/scale.pl
else
	@$(run) BENCH=$(BENCH) perl t/bench/bench.pl
endif


check: build ## Analyze the C code, the scripts, and the words: no findings
	@$(install) cppcheck shellcheck
	@t/tools/check-source $(BUILD)/check $(tree) $(ctl)

check-mutants: build ## Check that the tests fail if the module is broken
	@NGINX='$(nginx)' NGINX_SRC='$(source)' t/tools/mutate $(BUILD)/mutants

check-long: check-mutants fuzz ## Run the tests that take too long for "make test"
	@$(if $(long),$(prove) $(long))


# Only nginx itself knows when an allocation of its own has ended, so it is
# built to find errors too. It never frees all that it has on exit.

san        = $(abspath $(BUILD))/sanitize
san_cflags = -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined

sanitize: ## Run the tests with ASan and UBSan in nginx and the module
	@$(install) dpkg-dev libpcre2-dev zlib1g-dev
	@t/tools/sanitize '$(nginx)' $(san)/nginx
	+@ASAN_OPTIONS=detect_leaks=0:verify_asan_link_order=0 \
	UBSAN_OPTIONS=print_stacktrace=1 \
	$(MAKE) --no-print-directory test BUILD=$(san)/build \
	    NGINX=$(san)/nginx/nginx NGINX_SRC=$(san)/nginx/source \
	    TESTS='$(TESTS)' AOP_CFLAGS='$(san_cflags) $(AOP_CFLAGS)'


# A part of the tests, unless TESTS names others: each kind of handshake and
# request once. What makes many keys or starts nginx very often takes too long.

vg_tests = $(filter-out %/pem.t %/verify.t,$(filter $(unit)/%,$(tests))) \
           $(patsubst %,t/%.t,anchors credentials errorpage hostile keepalive \
             library log misdirected modes phases plaintext report \
             stock_session stock_verify tickets variables)

valgrind: build $(filter $(unit)/%,$(tests)) ## Run some tests under valgrind
	@$(install) valgrind
	@$(run) t/tools/valgrind $(BUILD)/valgrind \
	    $(if $(findstring command,$(origin TESTS)),$(tests),$(vg_tests))


fuzz: ## Fuzz the parsers of untrusted input, FUZZ_TIME=60 seconds each
	@$(install) clang libclang-rt-dev \
	    libarchive-dev libcurl4-openssl-dev libjansson-dev \
	    libnghttp2-dev libpcre2-dev zlib1g-dev
	@FUZZ_TIME=$(FUZZ_TIME) t/tools/fuzz $(BUILD)/fuzz


# nginx links modules with the compiler alone, so the flag must be part of it.

cov = $(abspath $(BUILD))/coverage

coverage: ## Run the tests, and list the lines of C that none of them runs
	@mkdir -p $(cov)
	@printf '#!/bin/sh\nexec $(CC) --coverage "$$@"\n' > $(cov)/cc
	@chmod +x $(cov)/cc
	@find $(cov) -name '*.gcda' -delete
	+@$(MAKE) --no-print-directory test CC=$(cov)/cc BUILD=$(cov)/build \
	    NGINX='$(nginx)' NGINX_SRC='$(source)' TESTS='$(TESTS)' AOP_CFLAGS=-O0
	@t/tools/coverage $(cov)/build


release: build ## Tag this version, write its archive; KEY=id signs it
	@t/tools/release '$(BUILD)/release' '$(BUILD)/$(so)' '$(aopctl)' $(KEY)


soak: build ## Run all at once for MINUTES=10: load, bad clients, reloads
	@$(run) MINUTES=$(MINUTES) prove --verbose -It/lib t/soak/soak.t


deb: ## Build the Debian packages, in build/deb
	@t/tools/build-deb $(BUILD)/deb


deb-nginx: build ## Build nginx-module-aop for nginx.org's nginx, in build/deb
	@t/tools/build-deb-nginx '$(nginx)' $(BUILD)/$(so) $(BUILD)/deb


matrix: ## Test and package on RELEASES="bullseye bookworm trixie forky"
	@$(install) debootstrap mmdebstrap
	@$(if $(filter command%,$(origin TESTS)),TESTS='$(TESTS)') \
	    t/tools/matrix $(BUILD)/matrix $(RELEASES)


builds: ## Build and test as others build, SOURCES="trixie i386 rpm"
	@$(install) buildah ccache clang debootstrap dpkg-dev gcc-i686-linux-gnu \
	    gcc-s390x-linux-gnu libpcre2-dev libpcre3-dev musl-tools \
	    qemu-user-static rpm rpmlint zlib1g-dev
	@$(if $(filter command%,$(origin TESTS)),TESTS='$(TESTS)') \
	    t/tools/builds $(BUILD)/builds $(SOURCES)


man: ## Make the man page from README.md and docs/
	t/tools/man-page > debian/ngx_http_aop_module.5.new
	mv debian/ngx_http_aop_module.5.new debian/ngx_http_aop_module.5


screenshot: ## Make README's picture of the status page (package chromium)
	@$(run) t/tools/screenshot docs/status.png


clean: ## Remove the build folder
	rm -rf $(BUILD)
