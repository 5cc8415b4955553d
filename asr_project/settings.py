"""Settings of the project; the only reader of the environment (``.env.example`` lists it)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from asr_project.api_settings import (  # noqa: F401  Django reads them by name
    CORS_ALLOW_HEADERS,
    CORS_EXPOSE_HEADERS,
    CORS_URLS_REGEX,
    REST_FRAMEWORK,
    SPECTACULAR_SETTINGS,
)
from asr_project.env import database_from_url, email_from_url, environment, sqlite_settings
from asr_project.log_settings import LOG_FORMATTERS, logging_settings
from asr_project.secret import read_or_make_secret_key

BASE_DIR = Path(__file__).resolve().parent.parent
ENV = env = environment(BASE_DIR)

# Recordings stay here, and so does every word about them. onnxruntime's packages report each
# process and model to their maker, and keep a number of this machine below the home directory,
# unless this is set before it is imported; the libraries of the model hub count their users.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

# --- where everything lies ------------------------------------------------------------------

DATA_DIR = (
    BASE_DIR
    / env.text(
        "ASR_DATA_DIR",
        "var",
        "The one directory of all state: database, recordings, work files, logs, secret key.",
    )
).resolve()
WEIGHTS_DIR = (
    BASE_DIR / env.text("ASR_WEIGHTS_DIR", "models_weights", "Directory of the model weights.")
).resolve()
HF_ENDPOINT = env.text(
    "HF_ENDPOINT", "https://huggingface.co", "Hugging Face or a mirror of it, for fetch_model."
)
MODELSCOPE_ENDPOINT = env.text(
    "MODELSCOPE_ENDPOINT", "https://modelscope.cn", "ModelScope, for fetch_model."
)
MEDIA_ROOT = DATA_DIR / "media"
INCOMING_DIR = DATA_DIR / "incoming"  # bodies on their way in; same file system as MEDIA_ROOT
WORK_DIR = DATA_DIR / "work"  # decoded audio of files in progress
LOG_DIR = DATA_DIR / "logs"
RUN_DIR = DATA_DIR / "run"  # locks, sockets, stop flags
STATIC_ROOT = DATA_DIR / "static"
for directory in (DATA_DIR, MEDIA_ROOT, INCOMING_DIR, WORK_DIR, LOG_DIR, RUN_DIR, STATIC_ROOT):
    # 0700: recordings are nobody else's business on a shared machine.
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)

#: Cluster that this process belongs to and which start of it, as "engine-0@5f2a91c0": the name
#: under which it holds leases, and under which the launcher releases them.
CLUSTER = os.environ.get("ASR_CLUSTER", "")
#: Where several web processes add up what they count; the launcher sets it, prometheus_client
#: reads it by itself.
METRICS_DIR = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
#: The queue that this process serves; django-q2 reads the variable by itself.
QUEUE = os.environ.get("Q_CLUSTER_NAME", "")

# --- security ---------------------------------------------------------------------------------

DEBUG = env.flag("ASR_DEBUG", False, "Django's debug pages; never on a server.")
SECRET_KEY = env.text(
    "ASR_SECRET_KEY", "", "Signing key; empty: made once and kept in the data directory."
) or read_or_make_secret_key(DATA_DIR / "secret_key")
ALLOWED_HOSTS = env.words(
    "ASR_ALLOWED_HOSTS",
    ["localhost", "127.0.0.1", "[::1]"],
    "Host names that the service answers to, separated by commas.",
)
CSRF_TRUSTED_ORIGINS = env.words(
    "ASR_CSRF_TRUSTED_ORIGINS",
    [],
    "Origins of the pages behind a proxy, as https://asr.example.com.",
)
HTTPS = env.flag(
    "ASR_HTTPS", False, "Whether people reach the service by https: secure cookies, HSTS, redirect."
)
PROXY_COUNT = env.integer(
    "ASR_PROXY_COUNT",
    0,
    "Number of proxies in front whose X-Forwarded-* headers are trusted.",
    high=10,
)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
HSTS_SECONDS = env.integer(
    "ASR_HSTS_SECONDS", 31_536_000, "For how long browsers insist on https when ASR_HTTPS is on."
)
SECURE_HSTS_SECONDS = HSTS_SECONDS if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
# The probes of an orchestrator and Prometheus come by plain http from inside.
SECURE_REDIRECT_EXEMPT = [r"^health(/|$)", r"^metrics$"]
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PROXY_COUNT:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

CORS_ALLOWED_ORIGINS = env.words(
    "ASR_CORS_ORIGINS", [], "Origins of web front ends that may call the API; none by default."
)
# --- the project ------------------------------------------------------------------------------

INSTALLED_APPS = [
    "transcription.apps.TranscriptionConfig",
    "asr_project.admin_site.ServiceAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "corsheaders",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_q",
]
MIDDLEWARE = [
    "transcription.web.request_log.RequestLogMiddleware",
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "transcription.web.static.StaticFilesMiddleware",
    "transcription.web.page_policy.PagePolicyMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "transcription.api.errors.RefusedBodyMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "transcription.web.metrics.AfterMiddleware",
]
ROOT_URLCONF = "asr_project.urls"
WSGI_APPLICATION = "asr_project.wsgi.application"
ASGI_APPLICATION = "asr_project.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASE_URL = env.text(
    "ASR_DATABASE_URL",
    "",
    "postgresql://USER:PASSWORD@HOST:PORT/NAME; empty: SQLite in the data directory (local disk only).",
)
DATABASES = {
    "default": database_from_url(DATABASE_URL)
    if DATABASE_URL
    else sqlite_settings(DATA_DIR / "db.sqlite3")
}
# A worker's tasks and its bell ask many times a second: opening the database costs more than that.
# Web processes answer each request in a thread of its own, where nothing could be kept.
DATABASES["default"]["CONN_MAX_AGE"] = 600 if CLUSTER else 0
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.text(
    "ASR_REDIS_URL",
    "",
    "redis://HOST:PORT/0 for cache and bell; needed with more than one web process.",
)
WEB_PROCESSES = env.integer("ASR_WEB_PROCESSES", 1, "Number of web processes.", low=1, high=64)
CACHES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
# LocMem counts per process. With one web process that is every request, so django-ratelimit's
# complaint about it does not apply; with more, our own check asr.E003 demands Redis.
SILENCED_SYSTEM_CHECKS = ["django_ratelimit.E003", "django_ratelimit.W001"]
if not HTTPS:
    # Whether TLS ends here or before is the operator's choice, named by ASR_HTTPS.
    SILENCED_SYSTEM_CHECKS += ["security.W004", "security.W008", "security.W012", "security.W016"]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 3600  # seconds that the link in the message holds

EMAIL_URL = env.text(
    "ASR_EMAIL_URL",
    "",
    "Mail server for password resets: smtp://USER:PASSWORD@HOST:587 (STARTTLS), smtps://… (TLS from the start) or smtp+plain://… (no encryption); empty: no e-mail.",
)
if EMAIL_URL:
    globals().update(email_from_url(EMAIL_URL))
else:
    # Nothing may try to send: pages say in words that there is no e-mail.
    EMAIL_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
EMAIL_TIMEOUT = 10  # seconds; somebody waits for the page
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text(
    "ASR_EMAIL_FROM", "asr@localhost", "Sender of the messages."
)

LANGUAGE_CODE = env.choice(
    "ASR_LANGUAGE", "en", ("en", "zh-hans"), "Language of pages where the browser asks for none."
)
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = env.text("ASR_TIME_ZONE", "UTC", "Time zone of pages and logs, as Asia/Shanghai.")
USE_I18N = True
USE_TZ = True

STATIC_URL = "static/"
# Static files are found in the packages at start-up: no collectstatic step to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

# --- serving ----------------------------------------------------------------------------------

HOST = env.text("ASR_HOST", "127.0.0.1", "Address that the service listens on.")
PORT = env.integer(
    "ASR_PORT", 8000, "Port that the service listens on; 0: any free one.", high=65535
)
STOP_SECONDS = env.number(
    "ASR_STOP_SECONDS", 30, "How long a stop waits for what is running before it kills.", low=1
)
RESTART_LIMIT_SECONDS = env.number(
    "ASR_RESTART_LIMIT_SECONDS",
    30,
    "Longest pause before a process that keeps dying is started again.",
)

# --- uploads ----------------------------------------------------------------------------------

MAX_UPLOAD_BYTES = (
    env.integer(
        "ASR_MAX_UPLOAD_MB", 2048, "Largest body of a request with credentials, in MiB.", low=1
    )
    * 1024
    * 1024
)
MAX_ANONYMOUS_BODY_BYTES = (
    env.integer("ASR_MAX_ANONYMOUS_BODY_KB", 64, "Largest body without credentials, in KiB.", low=1)
    * 1024
)
MIN_FREE_DISK_BYTES = (
    env.integer(
        "ASR_MIN_FREE_DISK_MB",
        1024,
        "Free space in MiB that uploads must leave; under it they are refused with 507.",
    )
    * 1024
    * 1024
)
FILE_UPLOAD_TEMP_DIR = INCOMING_DIR
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # of the fields beside the file
FILE_UPLOAD_HANDLERS = ["transcription.web.uploads.DurableUploadHandler"]

# --- the API ----------------------------------------------------------------------------------

SYNC_WAIT_SECONDS = env.number(
    "ASR_SYNC_WAIT_SECONDS",
    120,
    "How long POST /api/v1/transcribe waits for its result before it answers 202.",
    high=3600,
)
OPENAI_WAIT_SECONDS = env.number(
    "ASR_OPENAI_WAIT_SECONDS",
    3600,
    "How long POST /v1/audio/transcriptions waits for its result; a proxy in front must wait as long.",
    high=86_400,
)
KEEP_ALIVE_SECONDS = env.number(
    "ASR_KEEP_ALIVE_SECONDS",
    15,
    "Pause between the signs of life of a silent event stream; proxies close what is silent for longer.",
    low=0.05,
    high=600,
)
RATE_ANON = env.text(
    "ASR_RATE_ANON", "5/m", "Calls of the transcribe route by address without a token."
)
RATE_USER = env.text("ASR_RATE_USER", "60/m", "Calls of the transcribe route by token.")
RATE_LOGIN = env.text(
    "ASR_RATE_LOGIN",
    "5/m",
    "Tries to log in, to reset a password or to get a token, by address.",
)
RATE_API_USER = env.text("ASR_RATE_API_USER", "3000/m", "Calls of the API by user, all in all.")
RATE_API_TOKEN = env.text("ASR_RATE_API_TOKEN", "3000/m", "Calls of the API by token.")
RATE_API_UPLOADS = env.text(
    "ASR_RATE_API_UPLOADS", "300/m", "Recordings sent to /api/v1/transcriptions/, by user."
)
RATE_API_BROWSER_TOKENS = env.text(
    "ASR_RATE_API_BROWSER_TOKENS", "300/m", "Browser tokens that are made, by user."
)
ALLOW_ANONYMOUS = env.flag(
    "ASR_ALLOW_ANONYMOUS",
    False,
    "Whether the transcribe route, and it alone, takes recordings without a token.",
)
MAX_ANONYMOUS_UPLOAD_BYTES = (
    env.integer(
        "ASR_MAX_ANONYMOUS_UPLOAD_MB",
        25,
        "Largest body without a token where ASR_ALLOW_ANONYMOUS takes it, in MiB.",
        low=1,
    )
    * 1024
    * 1024
)
RESULT_TOKEN_SECONDS = (
    env.number(
        "ASR_RESULT_TOKEN_HOURS",
        24,
        "For how long the link to the result of a recording without owner holds.",
        low=0.01,
    )
    * 3600
)
BROWSER_TOKEN_SECONDS = (
    env.number(
        "ASR_BROWSER_TOKEN_MINUTES", 15, "How long a browser token holds.", low=0.1, high=1440
    )
    * 60
)
IDEMPOTENCY_SECONDS = (
    env.number("ASR_IDEMPOTENCY_HOURS", 24, "How long an Idempotency-Key is remembered.", low=0.01)
    * 3600
)
QUOTA_UNFINISHED_JOBS = env.integer(
    "ASR_QUOTA_UNFINISHED_JOBS",
    0,
    "Recordings of one user that may wait or be worked on at once; 0: no limit. Single users may have limits of their own, in the admin.",
)
QUOTA_STORED_BYTES = (
    env.integer(
        "ASR_QUOTA_STORED_MB", 0, "Stored recordings of one user together, in MiB; 0: no limit."
    )
    * 1024
    * 1024
)
QUOTA_AUDIO_MINUTES_PER_DAY = env.integer(
    "ASR_QUOTA_AUDIO_MINUTES_PER_DAY",
    0,
    "Minutes of recordings that one user may send in on one day; 0: no limit.",
)

# --- recognition ------------------------------------------------------------------------------

MAX_DURATION_SECONDS = (
    env.number(
        "ASR_MAX_DURATION_HOURS", 6, "Longest recording that is accepted, in hours.", low=0.01
    )
    * 3600
)
CHINESE_SCRIPT: Any = env.choice(
    "ASR_CHINESE_SCRIPT",
    "simplified",
    ("simplified", "traditional", "as_is"),
    "Characters of Chinese text.",
)
POLISH = env.choice(
    "ASR_POLISH",
    "rules",
    ("off", "rules", "model"),
    "How far text is brought into written form where a request does not say: as the engine wrote "
    "it, by rules, or by a punctuation model and the rules.",
)
PUNCTUATION_MODEL = env.text(
    "ASR_PUNCTUATION_MODEL",
    "punct-cap-seg-47lang",
    "Folder of the punctuation model, below that of the weights.",
)
DEVICE = env.text("ASR_DEVICE", "auto", "Device of the engines: auto, cpu, cuda, cuda:1.")
ENGINE_THREADS = env.integer(
    "ASR_ENGINE_THREADS", 0, "CPU threads of an engine; 0: one per core.", high=1024
)
ENGINE_CLUSTERS = env.integer(
    "ASR_ENGINE_CLUSTERS", 1, "Number of engine clusters: one per GPU.", low=1, high=64
)
MODEL_MEMORY_BYTES = (
    env.integer(
        "ASR_MODEL_MEMORY_MB",
        0,
        "Memory in MiB that the models of a worker may take together; 0: what the device has free.",
    )
    * 1024
    * 1024
)
IDLE_UNLOAD_SECONDS = 60 * env.number(
    "ASR_IDLE_UNLOAD_MINUTES",
    0,
    "Minutes without work after which a model gives its memory back until it is needed; 0: never.",
)
BATCH_SECONDS = env.number(
    "ASR_BATCH_SECONDS",
    120,
    "Audio seconds, padding included, that one engine call may hold.",
    low=30,
)
CHORES_WORKERS = env.integer(
    "ASR_CHORES_WORKERS", 2, "Processes that decode and split recordings.", low=2, high=64
)

# --- work -------------------------------------------------------------------------------------

LEASE_SECONDS = env.number(
    "ASR_LEASE_SECONDS", 60, "How long work belongs to a worker that gives no sign of life.", low=2
)
RENEW_SECONDS = LEASE_SECONDS / 4
TICK_SECONDS = env.number("ASR_TICK_SECONDS", 5, "Pause between heartbeats of a worker.", low=0.2)
RETRY_DELAYS_SECONDS = tuple(
    env.numbers(
        "ASR_RETRY_DELAYS_SECONDS",
        ["0", "30", "120", "600"],
        "Pauses before an interrupted piece of work is tried again; one more try than pauses.",
    )
)
BATCH_LIMIT_SECONDS = env.number(
    "ASR_BATCH_LIMIT_SECONDS", 600, "A batch that runs longer ends its worker.", low=1
)

# --- what is kept, and for how long -----------------------------------------------------------

AUDIO_KEPT_DAYS = env.number(
    "ASR_AUDIO_KEPT_DAYS",
    0,
    "Days after which the audio of what is over is deleted and its text kept; 0: as long as the text. Fractions are allowed.",
    high=36_500,
)
TEXT_KEPT_DAYS = env.number(
    "ASR_TEXT_KEPT_DAYS",
    0,
    "Days after which a transcription that is over is deleted with text, reviews and audio; 0: for ever. Fractions are allowed.",
    high=36_500,
)
AUDIT_KEPT_DAYS = env.integer(
    "ASR_AUDIT_KEPT_DAYS",
    365,
    "Days for which the audit says who deleted, exported and revoked what.",
    low=1,
    high=36_500,
)

# --- webhooks and bots ------------------------------------------------------------------------

PUBLIC_URL = env.text(
    "ASR_PUBLIC_URL",
    "",
    "Address at which people reach the service, as https://asr.example.com, for links in messages; empty: paths only.",
).rstrip("/")
WEBHOOK_PRIVATE_HOSTS = env.words(
    "ASR_WEBHOOK_PRIVATE_HOSTS",
    [],
    "Private hosts that webhooks and bots may call: names or networks, as hooks.internal,10.1.0.0/16; none by default.",
)
WEBHOOK_TIMEOUT_SECONDS = env.number(
    "ASR_WEBHOOK_TIMEOUT_SECONDS",
    10,
    "How long one try of a webhook or bot may take in all.",
    low=0.1,
    high=60,
)
WEBHOOK_RETRY_DELAYS_SECONDS = tuple(
    env.numbers(
        "ASR_WEBHOOK_RETRY_DELAYS_SECONDS",
        ["5", "30", "120", "600", "1800", "3600", "10800", "21600", "43200"],
        "Pauses before a message is sent again; one more try than pauses.",
    )
)
WEBHOOK_THREADS = env.integer(
    "ASR_WEBHOOK_THREADS",
    4,
    "Messages that each process of ASR_CHORES_WORKERS sends at once.",
    low=1,
    high=64,
)
WEBHOOK_KEPT_DAYS = env.integer(
    "ASR_WEBHOOK_KEPT_DAYS", 30, "Days for which messages that are over can be looked at.", low=1
)

# The bell that wakes the workers; the rows are the queue (see docs/design.md). Every value
# below was measured: recycling, timeouts and memory limits would reload the model.
Q_CLUSTER: dict[str, Any] = {
    "name": "engine",
    "workers": 1,
    "queue_limit": 1,
    "bulk": 1,
    "poll": 0.05,
    "recycle": 0,
    "max_rss": None,
    "timeout": 900,
    "retry": 960,
    "ack_failures": True,
    "max_attempts": 1,
    "save_limit": -1,
    "scheduler": False,
    "catch_up": False,
    "log_level": "WARNING",
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
    # Every recording waits for the bell of the chores, and none for that of the engine, which
    # is rung at the same time: it gets up while the recording is decoded.
    "ALT_CLUSTERS": {
        "chores": {"workers": CHORES_WORKERS, "queue_limit": CHORES_WORKERS, "poll": 0.02}
    },
}

# --- logs -------------------------------------------------------------------------------------

#: Name of the log file of this process; the launcher sets it for the processes that it starts.
PROCESS_ROLE = os.environ.get("ASR_PROCESS_ROLE", "manage")
LOG_LEVEL = env.choice(
    "ASR_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"), "Least level that is logged."
)
LOG_FORMAT = env.choice(
    "ASR_LOG_FORMAT",
    "text",
    tuple(LOG_FORMATTERS),
    "Form of the log: lines for people, or an object of JSON on each line.",
)
LOG_FILE_BYTES = (
    1024
    * 1024
    * env.integer("ASR_LOG_FILE_MB", 20, "Size of a log file before it turns, in MiB.", low=1)
)
LOG_FILES_KEPT = env.integer("ASR_LOG_FILES_KEPT", 5, "Turned log files that are kept per process.")
LOGGING = logging_settings(
    directory=LOG_DIR,
    role=PROCESS_ROLE,
    level=LOG_LEVEL,
    form=LOG_FORMAT,
    file_bytes=LOG_FILE_BYTES,
    files_kept=LOG_FILES_KEPT,
)

if len(RETRY_DELAYS_SECONDS) < 1:
    raise ImproperlyConfigured("ASR_RETRY_DELAYS_SECONDS: expected at least one pause.")
