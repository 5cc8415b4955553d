# The two commands of the README are `make demo` and `make run`; `make help` lists the others.
# POSIX sh and make; everything is written below this directory (and the caches of pip and npm).

PYTHON ?= python3
VENV = .venv
PY = $(VENV)/bin/python
MODEL = whisper-base
# Set by hand: `make run PORT=9000`, `make test PYTEST="-k launcher -x"`.
SERVE = $(if $(HOST),--host $(HOST)) $(if $(PORT),--port $(PORT))
# The files of tests go to two processes, each file to one. For a debugger: PYTEST="-n 0 --pdb".
SPREAD = -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: help demo run test slow torture benchmark benchmark-qwen3 long lint format words screenshots client client-types ready dev-ready venv clean-venv
.NOTPARALLEL:

help:
	@echo "make demo      set up, send a sample recording through the service, show its text"
	@echo "make run       set up, serve on 127.0.0.1:8000 until Ctrl-C (PORT=… for another)"
	@echo "make test      set up, run the tests (PYTEST=… for more arguments of pytest)"
	@echo "make slow      the long forms of tests: 200 recordings under reloads, the full shape of 0.6B"
	@echo "make torture   kill processes of a loaded service at random, for minutes"
	@echo "make benchmark the figures of docs/performance.md, on this machine"
	@echo "make benchmark-qwen3  batches of Qwen3-ASR against its own package (1.7 GB more)"
	@echo "make long      a recording of three hours through the real engine"
	@echo "make lint      style, types, migrations, production settings"
	@echo "make format    put the code into the agreed form"
	@echo "make words     the catalogues of what people read, after changing a text (docs/translating.md)"
	@echo "make screenshots  the pictures of docs/, from the real pages"
	@echo "make client    types, tests and build of clients/vue (and what else calls the API)"
	@echo "make client-types  write its types anew after a change of the API"
	@echo "make venv      only the Python environment in $(VENV)"

demo: ready
	@$(PY) manage.py demo

run: ready
	@$(PY) manage.py setup_service $(SERVE)
	@exec $(PY) manage.py serve $(SERVE)

test: dev-ready ready
	$(PY) -m pytest -m "not torture and not slow" $(SPREAD) $(PYTEST)

slow: dev-ready ready
	$(PY) -m pytest -m slow $(PYTEST)

torture: dev-ready ready
	$(PY) -m pytest -m torture -s tests/torture $(PYTEST)

benchmark: dev-ready ready
	$(PY) -m tests.speech var/benchmark-set
	$(PY) manage.py benchmark --files var/benchmark-set $(BENCHMARK)

benchmark-qwen3: dev-ready ready
	sh tools/qwen_asr/venv.sh var/qwen-asr
	$(PY) manage.py benchmark batches --engine qwen3_asr $(BENCHMARK)

long: dev-ready ready
	$(PY) manage.py benchmark long $(BENCHMARK)

lint: dev-ready
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PY) manage.py makemigrations --check --dry-run
	$(PY) manage.py write_docs --check
	$(PY) manage.py spectacular --validate --fail-on-warn --file /dev/null
	ASR_ENV_FILE=docs/production.env.example $(PY) manage.py check --deploy --fail-level WARNING

format: dev-ready
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .

words: dev-ready
	@command -v xgettext >/dev/null 2>&1 || { \
		echo "There is no GNU gettext. On Debian or Ubuntu: apt install gettext" >&2; exit 1; }
	$(PY) manage.py words
	@$(PY) -m pytest -q tests/test_catalogues.py

screenshots: dev-ready ready
	$(PY) tools/screenshots.py $(SCREENSHOTS)

client: dev-ready
	sh tools/npm.sh $(VENV) run check

client-types: dev-ready
	$(PY) manage.py spectacular --format openapi-json --file clients/vue/openapi.json
	sh tools/npm.sh $(VENV) run generate

# --- what they stand on ---------------------------------------------------------------------

ready: venv
	@$(PY) manage.py migrate --verbosity 0
	@$(PY) manage.py fetch_model $(MODEL)

venv:
	@PYTHON="$(PYTHON)" sh tools/venv.sh $(VENV) requirements.txt

dev-ready:
	@PYTHON="$(PYTHON)" sh tools/venv.sh $(VENV) requirements.txt requirements-dev.txt

clean-venv:
	rm -rf $(VENV)
