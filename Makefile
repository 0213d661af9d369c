# Assay: raw card transactions in, fraud decisions out. `make help` lists what there is to type.

# ---- settings -------------------------------------------------------------------------------------
# Values come from the command line, the environment or an .ini as plain text: make expands no $ in them
# (value), and the shell sees each as one word in quotes (quote).
GIVEN := CONFIG DATASET INPUT LABEL PORT DATABASE STATE SIMULATE THREADS
define newline


endef
space := $() $()
$(foreach v,$(GIVEN),$(if $(findstring $(newline),$(value $v)),$(error $v has more than one line)))
TYPED := $(foreach v,$(GIVEN),$(if $(filter command,$(origin $v)),$v))
$(foreach v,$(GIVEN),$(if $(filter command environment,$(origin $v)),$(eval override $v := $$(value $v))))
quote  = '$(subst ','\'',$(1))'
# refuse NAME,PATTERN of the shell,MESSAGE
refuse = $(if $(shell case $(call quote,$($(1))) in ($(2)) echo yes ;; esac),$(error $(1)=$($(1)): $(3)))

# The dataset's name is its .ini's: DATASET=simulated or CONFIG=datasets/simulated.ini.
ifdef CONFIG
DATASET  ?= $(basename $(notdir $(subst $(space),_,$(CONFIG))))
endif
DATASET  ?= simulated
CONFIG   ?= datasets/$(DATASET).ini
$(call refuse,DATASET,*[!A-Za-z0-9._-]* | [.-]* | '',folders have this name; give DATASET= one of letters and digits and . _ -)
ifndef INPUT
INPUT    := $(shell awk '/^[ \t]*\[/ { on = /^[ \t]*\[input\]/ } \
    on && sub(/^[ \t]*file[ \t]*[=:][ \t]*/, "") { sub(/[ \t]+;.*/, ""); sub(/[ \t\r]+$$/, ""); print; exit }' \
    2>/dev/null <$(call quote,$(CONFIG)))
endif
PORT     ?= 8080
# Of the default dataset var/assay.db; a database holds one dataset's transactions.
DATABASE ?= var/$(patsubst simulated,assay,$(DATASET)).db
# The state that the database began with; docs/server.md says when it is another one.
STATE    ?= $(D)/features/state.bin
SIMULATE ?=
THREADS  ?= $(shell nproc)
$(call refuse,THREADS,*[!0-9]* | '',is not a number)
DEPS     ?= install
# FORCE=1, PROMOTE=yes
on        = $(filter-out 0 no,$(1))
ifeq ($(origin CC),default)
CC       := gcc
endif
CFLAGS   ?= -O2 -g
SANITIZE ?=

BUILD := build
BIN   := $(BUILD)/bin
WARN  := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
# Expanded when used: on a bare machine the compiler comes with the packages.
BLAS   = /usr/include/$(shell $(CC) -print-multiarch)/openblas-pthread
FLAGS  = -std=c17 -D_POSIX_C_SOURCE=200809L -ffp-contract=off -pthread $(WARN) -I. -I$(BUILD) \
         -isystem $(BLAS) \
         $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LIBS  := -lcsv -linih -ljansson -lsodium -lxxhash -lzstd -lz -lm

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.PHONY: FORCE help programs deps test-deps draft pipeline serve retrain demo tiny test tests asan tsan soak fuzz coverage lint \
    layers sizes format clean pictures bench-quality bench-monitor bench-serve openapi

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

# ---- programs -------------------------------------------------------------------------------------
# One static library per stage, from every file of its folder that is not a program's main; a program
# links its own stage and those before it.
STAGES := base ingest features train monitor serve
MAINS  := datasets/simulate.c ingest/main.c features/main.c train/main.c train/registry_main.c \
          monitor/main.c serve/main.c serve/replay.c serve/export.c
upto    = $(if $(2),$(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call upto,$(1),$(wordlist 2,9,$(2)))))
reverse = $(if $(1),$(call reverse,$(wordlist 2,9,$(1))) $(firstword $(1)))
# The libraries of a stage and of those before it, the last first, as the linker wants them.
libs    = $(patsubst %,$(BUILD)/lib%.a,$(call reverse,$(call upto,$(1),$(STAGES))))
objects = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(wildcard $(1)/*.c)))

programs: $(addprefix $(BIN)/,simulate ingest features train registry monitor serve replay export tiny) ## build all

define stage_library
$(BUILD)/lib$(1).a: $(call objects,$(1))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach s,$(STAGES),$(eval $(call stage_library,$(s))))

# Texts that become strings of a library, named after the file with each '.' as '_': a stage's own, and web/
# in train's, since the report and the dashboard share it. Chart.js is Debian's.
WEB := $(wildcard web/*) web/chart.min.js
$(BUILD)/libingest.a: $(patsubst %,$(BUILD)/%.string.o,$(wildcard ingest/*.txt))
$(BUILD)/libtrain.a: $(addprefix $(BUILD)/,$(WEB:=.string.o))
$(BUILD)/libtrain.a: $(patsubst %,$(BUILD)/%.string.o,$(wildcard train/*.txt) train/card.md)
$(BUILD)/libmonitor.a: $(patsubst %,$(BUILD)/%.string.o,$(wildcard monitor/*.txt) monitor/drift.prom)
$(BUILD)/libserve.a: $(patsubst %,$(BUILD)/serve/%.string.o,openapi.json metrics.prom schema.sql)
define embed
	@mkdir -p $(@D)
	@printf '.globl %s\n.section .rodata\n%s: .incbin "%s"\n.byte 0\n.section .note.GNU-stack\n' \
		$(subst .,_,$(<F)) $(subst .,_,$(<F)) $< | $(CC) -x assembler -c -o $@ -
endef
$(BUILD)/%.string.o: % | deps
	$(embed)
# A rule of its own: a parallel make on a bare machine must wait for the package.
CHART := /usr/share/javascript/chart.js/chart.min.js
$(BUILD)/web/chart.min.js.string.o: $(CHART)
	$(embed)
$(CHART): | deps ;

# The ONNX message code is generated from the .proto that Debian ships, and is not ours to warn about.
$(BUILD)/libtrain.a: $(BUILD)/train/onnx.pb-c.o
$(BUILD)/train/onnx.o: $(BUILD)/train/onnx.pb-c.h
$(BUILD)/train/onnx.pb-c.c $(BUILD)/train/onnx.pb-c.h &: | deps
	@mkdir -p $(@D)
	@protoc-c --proto_path=/usr/include/onnx --c_out=$(@D) onnx.proto
# The graph has zeros in it, so the program asks for its size.
$(BUILD)/libtrain.a: $(BUILD)/train/onnx.graph.o
$(BUILD)/train/onnx.graph.o: train/onnx.textproto | deps
	@mkdir -p $(@D)
	@protoc-c --proto_path=/usr/include/onnx --encode=onnx.ModelProto onnx.proto <$< >$(@:.o=)
	@printf '.globl onnx_graph, onnx_graph_size\n.section .rodata\nonnx_graph: .incbin "$(@:.o=)"\n0:\n.balign 8\n%s\n%s\n' \
		'onnx_graph_size: .quad 0b - onnx_graph' '.section .note.GNU-stack' | $(CC) -x assembler -c -o $@ -
$(BUILD)/train/onnx.pb-c.o: $(BUILD)/train/onnx.pb-c.c
	@$(CC) $(CFLAGS) -pthread $(if $(SANITIZE),-fsanitize=$(SANITIZE)) -c -o $@ $<

$(BIN)/simulate: $(BUILD)/datasets/simulate.o $(call libs,base)
$(BIN)/ingest:   $(BUILD)/ingest/main.o $(call libs,ingest)
$(BIN)/features: $(BUILD)/features/main.o $(call libs,features)
$(BIN)/train:    $(BUILD)/train/main.o $(call libs,train)
$(BIN)/registry: $(BUILD)/train/registry_main.o $(call libs,train)
$(BIN)/monitor:  $(BUILD)/monitor/main.o $(call libs,monitor)
$(BIN)/serve:    $(BUILD)/serve/main.o $(call libs,serve)
$(BIN)/replay:   $(BUILD)/serve/replay.o $(call libs,ingest)
$(BIN)/export:   $(BUILD)/serve/export.o $(call libs,serve)
$(BIN)/tiny:     $(BUILD)/tests/tiny.o
$(BIN)/tiny: LIBS = -lopenblas -lm
$(BIN)/train $(BIN)/registry $(BIN)/monitor: LIBS += -lopenblas -lprotobuf-c
$(BIN)/serve: LIBS += -lopenblas -lprotobuf-c -lcivetweb -lsqlite3
$(BIN)/replay: LIBS += -lcurl
$(BIN)/export: LIBS += -lopenblas -lprotobuf-c -lsqlite3
$(BIN)/%:
	@mkdir -p $(@D)
	@echo '  ld $@'
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c | deps
	@mkdir -p $(@D)
	@echo '  cc $<'
	@$(CC) $(CFLAGS) $(FLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# What a list of packages names and this machine lacks is installed, and said. DEPS=skip turns it off.
define install
	$(if $(filter skip,$(DEPS)),,@has=" $$(dpkg-query -W -f '$${db:Status-Abbrev}$${Package} ' $(1) 2>/dev/null)"; \
	missing=$$(for p in $(1); do case $$has in (*" ii $$p "*) ;; (*) echo $$p ;; esac; done); \
	if [ -n "$$missing" ]; then \
	    echo "installing Debian packages:" $$missing; \
	    sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
	    $$sudo apt-get update -qq && \
	    $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; \
	fi)
endef
deps:
	$(call install,$(strip $(file <packages.txt)))
test-deps: $(if $(filter skip,$(DEPS)),,$(addprefix build/tools/,nginx prometheus promtool))
	$(call install,$(strip $(file <tests/packages.txt)))

# The daemons that tests start are linked where they are installed, else taken out of their Debian package
# and not installed: that would start services here, now and whenever this machine boots.
define take_out
	@mkdir -p build/tools; cd build/tools; \
	PATH=$$PATH:/usr/sbin; \
	if at=$$(for p in $(2); do command -v $$p || exit 1; done); then ln -sf $$at .; exit; fi; \
	echo 'taking $(2) out of the Debian package $(1), without installing it'; \
	download='apt-get download -qq -o APT::Sandbox::User=root $(1)'; \
	sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
	$$download 2>/dev/null || { $$sudo apt-get update -qq && $$download; } && \
	dpkg-deb --fsys-tarfile $(1)_*.deb | tar -xm --strip-components=3 $(addprefix ./usr/,$(3)) && \
	rm $(1)_*.deb
endef
build/tools/nginx: | deps
	$(call take_out,nginx,nginx,sbin/nginx)
build/tools/prometheus build/tools/promtool &: | deps
	$(call take_out,prometheus,prometheus promtool,bin/prometheus bin/promtool)

# ---- the pipeline ---------------------------------------------------------------------------------
# A stage's artifact depends on the stage's program, on the artifact before it, and on those sections of
# the .ini that it reads: each section is kept in a file that changes only when its text does.
# Make removes the target of a command that fails: the registry cannot be made again, so it is none.
D       := build/$(DATASET)
M       := models/$(DATASET)
section  = $(patsubst %,$(D)/config/%.ini,$(1))
SIMULATED := build/data/simulated.csv
ifeq ($(INPUT),$(SIMULATED))
IS_SIMULATED := yes
endif

# The draft is named after its file; a dataset's name has letters and digits and . _ - alone.
draft: $(BIN)/ingest ## write datasets/NAME.ini for a CSV of your own, from what it looks like (INPUT= LABEL=)
	$(if $(filter file,$(origin INPUT)),$(error give the CSV: make draft INPUT=my.csv))
	@name=$$(basename -- $(call quote,$(INPUT)) | sed 's/\.\(gz\|zst\)$$//; s/\.[a-z]*$$//; s/[^A-Za-z0-9._-]/_/g; s/^[.-]*//'); \
	ini=datasets/$$name.ini; \
	[ ! -e "$$ini" ] || { echo "make: $$ini is there: remove it for a new draft, or type make pipeline CONFIG=$$ini" >&2; exit 1; }; \
	mkdir -p build && $(BIN)/ingest $(if $(LABEL),--label=$(call quote,$(LABEL))) --draft=$(call quote,$(INPUT)) \
	    >build/draft.ini && mv build/draft.ini "$$ini" && \
	echo "draft     $$ini; read it, then type: make pipeline CONFIG=$$ini"

pipeline: $(D)/pipeline.txt programs ## run every stage that is not up to date (DATASET= CONFIG= INPUT= PROMOTE=1)
	@if [ -e $(D)/.ran ]; then rm $(D)/.ran; else \
	    echo "pipeline: nothing to do, $(D) and $(M) are up to date with" $(call quote,$(CONFIG)); \
	    tail -n 2 $(D)/pipeline.txt; fi

$(SIMULATED): $(BIN)/simulate build/data/simulate.args
	$(BIN)/simulate $(foreach w,$(SIMULATE),$(call quote,$w)) --output $@ >build/data/simulate.txt

$(D)/table/manifest.json: $(BIN)/ingest $(call section,input columns) $(if $(IS_SIMULATED),$(SIMULATED)) \
    $(if $(wildcard var/pseudonym.key),,FORCE)
	$(BIN)/ingest --config $(call quote,$(CONFIG)) --output $(D)/table \
	    $(if $(filter file,$(origin INPUT)),,-- $(call quote,$(INPUT))) >$(D)/ingest.txt

$(D)/features/manifest.json: $(BIN)/features $(D)/table/manifest.json \
    $(call section,columns features split)
	$(BIN)/features --config $(call quote,$(CONFIG)) --output $(D)/features --threads $(THREADS) $(D)/table \
	    >$(D)/features.txt

$(D)/train.txt: $(BIN)/train $(D)/features/manifest.json $(call section,split model baselines slices card) \
    $(if $(and $(wildcard $(M)/champion/model.json),$(wildcard $(M)/ledger.jsonl)),$(if $(call on,$(PROMOTE)),FORCE),FORCE)
	$(BIN)/train --config $(call quote,$(CONFIG)) --output $(M) --threads $(THREADS) \
	    $(if $(call on,$(PROMOTE)),--promote,--decide) $(D)/features >$@.tmp
	@mv $@.tmp $@

# The ledger changes when another version is promoted by hand. After a retraining the champion's training
# rows are in the export, too; where that has other features, the table alone is tried.
monitor = $(BIN)/monitor --config $(call quote,$(CONFIG)) --models $(M) --output $(D)/monitor/drift.json
$(D)/monitor/drift.json: $(BIN)/monitor $(D)/features/manifest.json $(D)/train.txt \
    $(wildcard $(M)/ledger.jsonl) $(call section,split monitor)
	$(if $(wildcard $(D)/retrain/served),$(monitor) $(D)/features $(D)/retrain/served >$(D)/monitor.txt 2>/dev/null || \
	    )$(monitor) $(D)/features >$(D)/monitor.txt || { \
	    echo 'make: if make retrain trained the champion, its rows are in the export: type make retrain;' \
	        'or make pipeline PROMOTE=1, and the version of this table becomes the champion' >&2; exit 1; }

# It fits a terminal of 80 columns and 24 lines: an artifact is left out where its name is too long. The
# monitor's verdict ends before its notes, and of a comparison with the champion one line is enough.
again = make $(1)$(foreach v,$(filter-out THREADS,$(TYPED)), $v=$(call quote,$($v)))
$(D)/pipeline.txt: $(D)/monitor/drift.json $(BIN)/registry
	@{ printf '%-8s %10s %8s %15s %s\n' stage rows seconds rate artifact; \
	   for stage in $(if $(IS_SIMULATED),build/data/simulate) \
	       $(addprefix $(D)/,ingest features train monitor); do tail -n 1 $$stage.txt; done | \
	       awk '{ print (length > 80 ? substr($$0, 1, 44) : $$0) }'; \
	   echo; $(BIN)/registry --models $(M) show | sed '/^$$/,$$d' && \
	   { grep -E '^(Promoted|Kept out) version' $(D)/train.txt | grep -v 'first champion' | \
	       sed 's/: version [0-9]* against [0-9]*//; s/ *(95.*//' | cut -c 1-80; } && \
	   awk '/^(Note: |$$)/ { exit } { print }' $(D)/monitor.txt && \
	   printf 'Next    %s   # then open http://localhost:%s\nReport  %s\n' \
	       $(call quote,$(call again,serve)) $(call quote,$(PORT)) $(M)/champion/report.html; } >$@
	@echo; cat $@; touch $(D)/.ran

# awk prints the section without comments and blank lines. ingest runs again when its file has another time
# or size; the file is no prerequisite, because make cannot write every name.
$(D)/config/%.ini: FORCE
	@mkdir -p $(@D)
	@test -f $(call quote,$(CONFIG)) || \
	    { printf '%s: there is no such dataset description\n' $(call quote,$(CONFIG)) >&2; exit 1; }
	@new=$$(awk -v name='$*' '/^[ \t]*\[/ { sub(/^[ \t]+/, ""); on = index($$0, "[" name "]") == 1; next } \
	    on && !/^[ \t]*([;#]|$$)/' <$(call quote,$(CONFIG)) \
	    $(if $(filter input,$*),&& printf 'INPUT = %s\n' $(call quote,$(INPUT)) \
	    $(if $(IS_SIMULATED),,&& { stat -L -c '%.9Y %s' -- $(call quote,$(INPUT)) 2>/dev/null || :; }))) && \
	{ printf '%s\n' "$$new" | cmp -s - $@ || printf '%s\n' "$$new" >$@; }

build/data/simulate.args: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' $(call quote,$(SIMULATE)) >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

serve: $(D)/train.txt $(BIN)/serve ## answer on http://localhost:8080 (PORT= DATABASE=)
	exec $(BIN)/serve --models $(M) --state $(call quote,$(STATE)) --drift $(D)/monitor/drift.json \
	    --database $(call quote,$(DATABASE)) --port $(call quote,$(PORT))

# The table beside the server's state has what came before the database.
before = "$$(dirname -- $(call quote,$(STATE)))"
retrain: programs $(D)/features/manifest.json ## train on what was served, if that is due (FORCE=1 DATABASE= STATE=)
	@! grep -qE '^[ \t]*time_format[ \t]*[=:][ \t]*row[ \t]*(;|$$)' $(D)/config/input.ini || { \
	    echo 'make: retrain needs times, and' $(call quote,$(CONFIG)) 'has time_format = row: add the new rows to' \
	        'the file and type make pipeline, which trains a version and compares it' >&2; exit 1; }
	@test -e $(call quote,$(DATABASE)) || { \
	    echo 'make:' $(call quote,$(DATABASE)) 'is not there: type make serve, and send transactions' >&2; exit 1; }
	$(BIN)/export --config $(call quote,$(CONFIG)) --models $(M) --database $(call quote,$(DATABASE)) \
	    --output $(D)/retrain/served
	$(monitor) $(before) $(D)/retrain/served
	$(BIN)/train --config $(call quote,$(CONFIG)) --output $(M) --threads $(THREADS) $(if $(call on,$(FORCE)),--force) \
	    --retrain $(D)/monitor/drift.json $(before) $(D)/retrain/served

demo: programs ## the closed loop on simulated transactions: drift, retraining, promotion; a minute or two
	$(call install,python3)
	@/usr/bin/python3 -B tests/demo.py $(BIN)

tiny: $(BIN)/tiny ## the whole idea in one file, tests/tiny.c, on the sample
	$(BIN)/tiny datasets/sample.csv 2018-04-15 2018-04-29 1e-2

# ---- tests ----------------------------------------------------------------------------------------
# tests/test_<module>.c links the stages up to the one that holds <module>.c, all of them for the others.
# Not under sanitizers: make's own rules and the demo, more rows of the same data, and the browser, nginx and
# Prometheus, whose requests test_http and test_request send to a server with sanitizers, too.
PLAIN := $(addprefix test_,dag demo simulated page nginx deploy)
TESTS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(filter-out $(if $(SANITIZE),$(PLAIN:%=tests/%.c)),$(wildcard tests/test_*.c)))
ALL_LIBS := -lopenblas -lprotobuf-c -lcivetweb -lsqlite3

# Tests need no speed, and -O0 compiles in half the time.
$(BUILD)/tests/test_%.o: FLAGS += -O0

define test_program
$(BUILD)/tests/test_$(1): $(BUILD)/tests/test_$(1).o \
    $(call libs,$(firstword $(patsubst %/,%,$(dir $(wildcard $(addsuffix /$(1).c,$(STAGES))))) serve))
	@echo '  ld $$@'
	@$(CC) $(CFLAGS) $(FLAGS) -o $$@ $$^ $(LIBS) $(ALL_LIBS) -lcmocka
endef
$(foreach t,$(patsubst $(BUILD)/tests/test_%,%,$(TESTS)),$(eval $(call test_program,$(t))))
$(patsubst tests/%.c,$(BUILD)/tests/%.o,$(wildcard tests/test_*.c tests/fuzz/*.c)): | test-deps

test: ## all tests once
	@$(MAKE) --no-print-directory -j$(THREADS) tests
	@tests/run $(TESTS)

tests: programs $(TESTS)

asan: ## the tests under AddressSanitizer and UBSan
	@$(MAKE) --no-print-directory -j$(THREADS) BUILD=build/asan CFLAGS='-O1 -g' SANITIZE=address,undefined test

THREADED := $(addprefix tests/test_,state replay logreg evaluate http request service store recovery crash)
tsan: ## the tests with threads under ThreadSanitizer
	@$(MAKE) --no-print-directory -j$(THREADS) BUILD=build/tsan CFLAGS='-O1 -g' SANITIZE=thread \
	    programs $(addprefix build/tsan/,$(THREADED))
	@tests/run $(addprefix build/tsan/,$(THREADED))

# A fault at each system call of the programs that change artifacts, two weeks of the simulated data over
# HTTP with kills, fifty kills under load, 2100 hostile clients, a model of all the data with every kernel,
# the closed loop on the full data, and the server under ThreadSanitizer.
soak: programs $(TESTS) $(SIMULATED) ## long forms of some tests, some ten minutes
	@/usr/bin/python3 -B tests/faults.py $(BIN)
	@ASSAY_BIN=$(BIN) ASSAY_PARITY='datasets/simulated.ini 2018-08-15 2018-08-29 5' \
	    tests/run $(BUILD)/tests/test_parity
	@ASSAY_BIN=$(BIN) ASSAY_KILLS=50 tests/run $(BUILD)/tests/test_crash
	@ASSAY_BIN=$(BIN) ASSAY_HOSTILE='2100 12 strict' $(BUILD)/tests/test_request >$(BUILD)/hostile.txt 2>&1 || \
	    { cat $(BUILD)/hostile.txt; exit 1; }; grep -E '^(ok|[0-9]+ passed)' $(BUILD)/hostile.txt
	@ASSAY_BIN=$(BIN) ASSAY_SIMULATE=' ' tests/run $(BUILD)/tests/test_simulated
	@/usr/bin/python3 -B tests/demo.py $(BIN) $(BUILD)/soak full
	@/usr/bin/python3 -B tests/demo.py $(BIN) $(BUILD)/soak full control
	@$(MAKE) --no-print-directory tsan

# Everything that reads bytes from outside, each for FUZZ_SECONDS from an empty corpus.
FUZZ_SECONDS ?= 60
FUZZERS := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz: ## run every fuzzer (FUZZ_SECONDS=60)
	@$(MAKE) --no-print-directory -j$(THREADS) BUILD=build/fuzz CC=clang CFLAGS='-O1 -g' \
	    SANITIZE=fuzzer-no-link,address,undefined $(addprefix build/fuzz/tests/,$(FUZZERS))
	@for f in $(FUZZERS); do echo "$$f"; mkdir -p build/fuzz/corpus/$$f; \
	    (cd build/fuzz && tests/$$f $$(find ../../tests/fuzz -name $$f.dict -printf -dict=%p) \
	        -max_total_time=$(call quote,$(FUZZ_SECONDS)) -timeout=10 -rss_limit_mb=4096 \
	        -verbosity=0 -print_final_stats=1 corpus/$$f 2>&1 | grep -E 'ERROR|SUMMARY|number_of' \
	        && ! ls | grep -E "^(crash|leak|timeout|oom)-") || exit 1; done
$(BUILD)/tests/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(call libs,serve)
	@echo '  ld $@'
	@$(CC) $(CFLAGS) $(FLAGS) -fsanitize=fuzzer -o $@ $^ $(LIBS) $(ALL_LIBS) -lcmocka

coverage: ## branches the tests reach, in build/coverage/index.html
	$(call install,gcovr)
	@$(MAKE) --no-print-directory -j$(THREADS) BUILD=build/coverage CFLAGS='-O0 -g --coverage -fprofile-update=atomic' test
	@gcovr --root . --object-directory build/coverage --exclude build --exclude tests --branches \
	    --gcov-ignore-parse-errors \
	    --html-details build/coverage/index.html --txt

# Needs the network, so no other target asks for it; tests/test_http.c needs none.
openapi: programs ## lint the /openapi.json of a server
	$(if $(shell command -v npm),,$(call install,npm))
	@tests/openapi/lint $(BIN) $(BUILD)/openapi

bench-quality: programs ## compare our model with scikit-learn and XGBoost in docs/quality.md
	$(call install,$(strip $(file <tests/bench/packages.txt)))
	/usr/bin/python3 tests/bench/quality.py --bin $(BIN) --work $(BUILD)/quality --seeds 2,3,4 \
	    --output docs/quality.md

bench-monitor: programs ## measure false alarms of the monitor, and its delay, for docs/monitoring.md
	$(call install,$(strip $(file <tests/bench/packages.txt)))
	/usr/bin/python3 -B tests/bench/monitor.py --bin $(BIN) --work $(BUILD)/bench-monitor \
	    --output docs/monitoring.md

bench-serve: programs $(D)/monitor/drift.json $(BUILD)/tests/bench/bare ## measure speed and memory of the server for docs/benchmarks.md
	$(call install,$(strip $(file <tests/bench/packages.txt)))
	/usr/bin/python3 -B tests/bench/serve.py --bin $(BIN) --bare $(BUILD)/tests/bench/bare --models $(M) \
	    --features $(D)/features --work $(BUILD)/bench --output docs/benchmarks.md
$(BUILD)/tests/bench/bare: $(BUILD)/tests/bench/bare.o
	@echo '  ld $@'
	@$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ -lcivetweb

# ---- housekeeping ---------------------------------------------------------------------------------
SOURCES := $(wildcard base/*.[ch] datasets/*.[ch] ingest/*.[ch] features/*.[ch] train/*.[ch] \
           monitor/*.[ch] serve/*.[ch] tests/*.[ch] tests/fuzz/*.c tests/bench/*.c)

lint: layers sizes deps test-deps $(BUILD)/train/onnx.pb-c.h ## formatting, layers, sizes, clang's warnings, clang-tidy, cppcheck
	@clang-format --dry-run -Werror $(SOURCES)
	@$(MAKE) --no-print-directory -j$(THREADS) BUILD=build/clang CC=clang CFLAGS='-O1' programs
	@printf '%s\n' $(filter %.c,$(SOURCES)) | \
	    xargs -P $(THREADS) -n 1 sh -c 'clang-tidy --quiet "$$@" -- $(FLAGS) 2>/dev/null' tidy
	@cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 -I. \
	    --enable=warning,performance,portability -j $(THREADS) $(filter %.c,$(SOURCES))
	@echo 'lint: clean'

# Includes go one way: base <- ingest <- features <- train <- monitor <- serve.
layers: ## does any #include run against the data flow?
	@! grep -nE '^#include "(ingest|features|train|monitor|serve)/' base/*.[ch]
	@! grep -nE '^#include "(features|train|monitor|serve)/' ingest/*.[ch] datasets/*.[ch]
	@! grep -nE '^#include "(train|monitor|serve)/' features/*.[ch]
	@! grep -nE '^#include "(monitor|serve)/' train/*.[ch]
	@! grep -nE '^#include "serve/' monitor/*.[ch]

# README.md has a row | `folder/` | ... | lines | for each folder.
sizes: ## does README.md state the folders' sizes, to 5 %?
	@for d in base datasets ingest features train monitor serve web tests; do \
	    is=$$(find $$d -name '*.[ch]' -o -name '*.html' -o -name '*.css' -o -name '*.js' | xargs cat | wc -l); \
	    said=$$(sed -n "s,^| .$$d/. |.* \([0-9]*\) |$$,\1,p" README.md); \
	    [ $$((100 * is)) -le $$((105 * said)) ] && [ $$((100 * is)) -ge $$((95 * said)) ] || \
	        { echo "README.md: $$d/ has $$is lines, not $$said"; exit 1; }; done

format: ## put all sources into shape
	@clang-format -i $(SOURCES)

# The dashboard shows replayed days, so its server starts from the state before them.
PICTURED := 2018-09-25
pictures: $(D)/pipeline.txt $(BIN)/serve $(BIN)/replay demo | test-deps ## take the pictures of report, dashboard and demo in docs/
	$(BIN)/features --until $(PICTURED) --output $(BUILD)/before $(D)/table
	/usr/bin/python3 -B tests/bench/pictures.py --bin $(BIN) --models $(M) --state $(BUILD)/before/state.bin \
	    --data $(SIMULATED) --since $(PICTURED) --loop build/demo/loop.html --docs docs

clean: ## remove build/ (models/ and var/ stay)
	rm -rf build
