# Assay: raw card transactions in, fraud decisions out. `make help` lists what there is to type.

# ---- settings -------------------------------------------------------------------------------------
DATASET  ?= $(if $(CONFIG),$(basename $(notdir $(CONFIG))),simulated)
CONFIG   ?= datasets/$(DATASET).ini
INPUT    ?= $(shell sed -n 's/^file *= *//p' $(CONFIG))
PORT     ?= 8080
THREADS  ?= $(shell nproc)
DEPS     ?= install
CC       ?= gcc
CFLAGS   ?= -O2 -g
SANITIZE ?=

BUILD := build$(if $(SANITIZE),/$(SANITIZE))
BIN   := $(BUILD)/bin
WARN  := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Werror
BLAS  := /usr/include/$(shell $(CC) -print-multiarch)/openblas-pthread
FLAGS := -std=c17 -D_POSIX_C_SOURCE=200809L -ffp-contract=off -pthread $(WARN) -I. -I$(BUILD) \
         -isystem $(BLAS) \
         $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer)
LIBS  := -lcsv -linih -ljansson -lsodium -lxxhash -lzstd -lz -lm

.DELETE_ON_ERROR:
.SUFFIXES:
.PHONY: help pipeline programs deps test-deps

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1	\2/p' Makefile | expand -t 22

# ---- programs -------------------------------------------------------------------------------------
# One static library per stage, from every file of its folder that is not a program's main; a program
# links its own stage and those before it.
STAGES := base ingest features train monitor serve
MAINS  := datasets/simulate.c ingest/main.c features/main.c train/main.c train/registry_main.c \
          monitor/main.c serve/main.c
upto    = $(if $(2),$(firstword $(2)) $(if $(filter $(1),$(firstword $(2))),,$(call upto,$(1),$(wordlist 2,9,$(2)))))
reverse = $(if $(1),$(call reverse,$(wordlist 2,9,$(1))) $(firstword $(1)))
# The libraries of a stage and of those before it, the last first, as the linker wants them.
libs    = $(patsubst %,$(BUILD)/lib%.a,$(call reverse,$(call upto,$(1),$(STAGES))))
objects = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(wildcard $(1)/*.c)))

programs: $(addprefix $(BIN)/,simulate ingest features train registry monitor serve) ## build all

define stage_library
$(BUILD)/lib$(1).a: $(call objects,$(1))
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach s,$(STAGES),$(eval $(call stage_library,$(s))))

$(BIN)/simulate: $(BUILD)/datasets/simulate.o $(call libs,base)
$(BIN)/ingest:   $(BUILD)/ingest/main.o $(call libs,ingest)
$(BIN)/features: $(BUILD)/features/main.o $(call libs,features)
$(BIN)/train:    $(BUILD)/train/main.o $(call libs,train)
$(BIN)/registry: $(BUILD)/train/registry_main.o $(call libs,train)
$(BIN)/monitor:  $(BUILD)/monitor/main.o $(call libs,monitor)
$(BIN)/serve:    $(BUILD)/serve/main.o $(call libs,serve)
$(BIN)/train $(BIN)/registry $(BIN)/monitor: LIBS += -lopenblas -lprotobuf-c
$(BIN)/serve: LIBS += -lopenblas -lprotobuf-c -lcivetweb -lsqlite3
$(BIN)/%:
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FLAGS) -o $@ $^ $(LIBS)

$(BUILD)/%.o: %.c | deps
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(FLAGS) -MMD -MP -c -o $@ $<

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

# What packages.txt lists and this machine lacks is installed, and said. DEPS=skip turns it off.
define install
	@missing=$$(dpkg-query -W -f '$${db:Status-Abbrev}$${Package}\n' $$(cat $(1)) 2>/dev/null | \
	    sed -n 's/^ii //p' | sort | comm -13 - $(1)); \
	if [ "$(DEPS)" != skip ] && [ -n "$$missing" ]; then \
	    echo "installing Debian packages:" $$missing; \
	    sudo=$$([ $$(id -u) = 0 ] || echo sudo); \
	    $$sudo apt-get update -qq && \
	    DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq $$missing >/dev/null; \
	fi
endef
deps:
	$(call install,packages.txt)
test-deps:
	$(call install,tests/packages.txt)

# ---- tests ----------------------------------------------------------------------------------------
# tests/test_<module>.c links the stages up to the one that holds <module>.c (all of them for others).
TESTS   := $(patsubst tests/%.c,$(BUILD)/tests/%,$(wildcard tests/test_*.c))

define test_program
$(BUILD)/tests/test_$(1): $(BUILD)/tests/test_$(1).o \
    $(call libs,$(firstword $(patsubst %/,%,$(dir $(wildcard $(addsuffix /$(1).c,$(STAGES))))) serve))
	$(CC) $(CFLAGS) $(FLAGS) -o $$@ $$^ $(LIBS) -lopenblas -lprotobuf-c -lcivetweb -lsqlite3 -lcmocka
endef
$(foreach t,$(patsubst $(BUILD)/tests/test_%,%,$(TESTS)),$(eval $(call test_program,$(t))))
$(BUILD)/tests/%.o: | test-deps
