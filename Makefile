# make demo   what a newcomer sees first          make test   everything, real packets and a real kernel
# make check  style, types, layers               make bench  figures, side by side with peers
# A fresh Debian 12 or Ubuntu needs only python3, make and apt; each target sets up what it uses.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready
WORKERS ?= 2
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
APT_GET := $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get

PACKAGES := nftables iproute2
TEST_PACKAGES := $(PACKAGES) conntrack iputils-ping netplan.io systemd util-linux \
  freeradius freeradius-utils eapoltest openssl openvpn wireguard-tools dnsmasq-base kea-dhcp4-server \
  busybox-static \
  slapd ldap-utils samba-ad-dc samba-ad-provision samba-dsdb-modules \
  gcc python3-dev libldap-dev libsasl2-dev
POLICY := /usr/sbin/policy-rc.d

.PHONY: setup demo test unit oracles lab lab-run lab-systemd lab-others lab-setup check format bench golden system test-system clean

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "segc needs Python 3.11 or newer: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(MAKE) --no-print-directory APT="python3-venv" apt
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip --quiet --disable-pip-version-check install --upgrade "pip>=25.1"
	$(BIN)/pip --quiet --disable-pip-version-check install --editable . --group dev
	@touch $@

# Installs what is missing of $(APT), and asks apt for nothing where all is there. Servers are for tests that
# start their own: as long as packages are unpacked, no service is started.
.PHONY: apt
apt:
	@missing=$$(for each in $(APT); do \
	  dpkg-query -W -f '$${Status}' $$each 2>/dev/null | grep -q 'install ok installed' || echo $$each; done); \
	[ -z "$$missing" ] || { echo "installing" $$missing; \
	  [ -e $(POLICY) ] || { trap "$(SUDO) rm -f $(POLICY)" EXIT; \
	    printf '#!/bin/sh\nexit 101\n' | $(SUDO) install -m 755 /dev/stdin $(POLICY); }; \
	  $(APT_GET) -qq update && \
	  $(APT_GET) -qq install --no-install-recommends $$missing >/dev/null; }

system:
	@$(MAKE) --no-print-directory APT="$(PACKAGES)" apt

test-system: setup
	@$(MAKE) --no-print-directory APT="$(TEST_PACKAGES)" apt
	@$(BIN)/python -c 'import ldap' 2>/dev/null || $(BIN)/pip --quiet --disable-pip-version-check install -e '.[ldap]'

demo: setup system
	@$(SUDO) $(BIN)/python -m tests.demo

# The lab comes last: an emulated machine wants a processor for itself.
test: setup test-system lab-setup
	$(SUDO) env SEGC_REQUIRE_KERNEL=1 $(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m "not lab"
	@$(MAKE) --no-print-directory lab-run

lab-setup:
	$(SUDO) tests/lab/setup.sh
	$(SUDO) tests/lab/fetch_nft.sh >/dev/null

lab: setup test-system lab-setup
	@$(MAKE) --no-print-directory lab-run

# Two machines side by side: one that boots systemd for most of the tests, and one after the other for the rest.
lab-run:
	@$(MAKE) --no-print-directory --output-sync -j $(WORKERS) lab-systemd lab-others

lab-systemd:
	$(SUDO) $(BIN)/pytest -q -m "lab and systemd"

lab-others:
	$(SUDO) $(BIN)/pytest -q -m "lab and not systemd"

unit: setup
	$(BIN)/pytest -q -n $(WORKERS) --dist loadfile -m "not kernel and not lab"

# Thousands of random policies against counting every packet, and against decision diagrams: an hour or two.
oracles: setup
	SEGC_EXAMPLES=6000 SEGC_POLICIES=2000 $(BIN)/pytest -q -n $(WORKERS) tests/property

check: setup
	$(BIN)/ruff format --check --quiet segc tests docs
	$(BIN)/ruff check --quiet segc tests docs
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format --quiet segc tests docs
	$(BIN)/ruff check --quiet --fix segc tests docs

bench: setup system  # PART=scale: the analyses alone; PART=sessions; PART=quick: a tenth of both
	$(SUDO) $(BIN)/python -m tests.bench $(PART)

golden: setup
	$(BIN)/python -m tests.golden.write

clean:
	rm -rf $(VENV) .cache .import_linter_cache .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
