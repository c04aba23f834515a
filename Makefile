# make run    everything on this machine: http://127.0.0.1:8000
# make test   the tests, on SQLite and on PostgreSQL
# make chaos  messages while workers are killed and the broker is emptied, some minutes
# make check  style, types, templates, settings
# make bench  how fast it is, each figure beside its bare limit
# make messages  gather what is to be translated into locale/ (needs GNU gettext)

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := run
.PHONY: run test chaos check bench messages requirements static

VENV := .venv
PYTHON := $(VENV)/bin/python
JOBS ?= auto
UV = $(shell command -v uv || echo $(VENV)/bin/uv)
export DJANGO_SETTINGS_MODULE ?= config.settings.demo

# --- what you came for ----------------------------------------------------------------------------------------
run: $(VENV)/.installed
	@$(PYTHON) -m config.run --check
	@$(MAKE) --silent --no-print-directory static
	@$(PYTHON) manage.py migrate --verbosity 0
	@$(PYTHON) manage.py demo
	@exec $(PYTHON) -m config.run

# The tests bring their own settings; what the shell has set for an installation is not theirs.
test: $(VENV)/.installed-dev tests/chains/node_modules tests/receivers/node_modules static
	env -u DJANGO_SETTINGS_MODULE $(PYTHON) -m pytest -n $(JOBS)
	env -u DJANGO_SETTINGS_MODULE $(PYTHON) -m pytest -n $(JOBS) -p tests.postgres

# Alone on the machine: it kills workers by the dozen, and counts what arrives.
chaos: $(VENV)/.installed-dev static
	env -u DJANGO_SETTINGS_MODULE $(PYTHON) -m pytest -p tests.postgres -m chaos -s tests/chaos

check: $(VENV)/.installed-dev
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy .
	$(VENV)/bin/djlint --lint --quiet templates
	$(PYTHON) manage.py makemigrations --check --dry-run
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; \
	  echo "$(PYTHON) manage.py check --deploy   (as production)"; \
	  DATA_DIR="$$folder" DJANGO_SETTINGS_MODULE=config.settings.production \
	  SECRET_KEY="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	  ENCRYPTION_KEYS="$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(50))')" \
	  SITE_URL=https://pay.example.com REDIS_URL=redis://127.0.0.1:6379/0 \
	  EMAIL_URL=smtp+tls://user:password@mail.example.com:587 MAIL_FROM='Quittance <invoices@example.com>' \
	  $(PYTHON) manage.py check --deploy --fail-level WARNING

bench: $(VENV)/.installed-dev tests/chains/node_modules static
	@env -u DJANGO_SETTINGS_MODULE $(PYTHON) -m tests.bench

messages: $(VENV)/.installed-dev
	@$(PYTHON) manage.py makemessages

# Pin every requirement, with hashes, for every platform.
requirements: $(VENV)/.installed-dev
	$(UV) pip compile --quiet --generate-hashes --python-version 3.11 --universal requirements.in -o requirements.txt
	$(UV) pip compile --quiet --generate-hashes --python-version 3.11 --universal requirements-dev.in -o requirements-dev.txt

# --- what that needs ------------------------------------------------------------------------------------------
static: $(VENV)/.installed
	@$(PYTHON) -m config.translations
	@$(PYTHON) manage.py make_fonts
	@$(MAKE) --silent --no-print-directory staticfiles/staticfiles.json

# Collected and compressed again only when a source has changed.
staticfiles/staticfiles.json: $(VENV)/.installed config/settings/base.py $(shell find static -type f 2>/dev/null)
	@$(PYTHON) manage.py collectstatic --noinput --verbosity 0
	@touch $@

$(PYTHON):
	@bin/python-for-venv $(VENV)

# The EVM node of the tests, and the library of webhook receivers; without npm those tests skip, and say so.
tests/chains/node_modules tests/receivers/node_modules: %/node_modules: %/package-lock.json
	@if command -v npm >/dev/null; then cd $* && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error; else mkdir -p $@; fi
	@touch $@

$(VENV)/.installed: requirements.txt | $(PYTHON)
	@bin/install $(VENV) requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@bin/install $(VENV) requirements-dev.txt
	@touch $@
