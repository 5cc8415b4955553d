"""How the libraries of the API are set up: what no operator changes."""

from __future__ import annotations

CORS_URLS_REGEX = r"^/(api|v1|health)(/|$)"
CORS_EXPOSE_HEADERS = [
    "Content-Disposition",
    "Content-Range",
    "Location",
    "Retry-After",
    "X-Request-ID",
]
CORS_ALLOW_HEADERS = (
    "accept",
    "authorization",
    "content-type",
    "idempotency-key",
    "if-range",
    "last-event-id",
    "range",
    "user-agent",
    "x-csrftoken",
    "x-request-id",
    "x-requested-with",
    # What the OpenAI library for browsers sends along.
    "openai-organization",
    "openai-project",
    *(
        f"x-stainless-{name}"
        for name in (
            *("arch", "lang", "os", "package-version", "retry-count"),
            *("runtime", "runtime-version", "timeout"),
        )
    ),
)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "transcription.api.authentication.TokenAuthentication",
        "transcription.api.authentication.ResultTokenAuthentication",
        "transcription.api.authentication.SessionAuthentication",
    ],
    "DEFAULT_THROTTLE_CLASSES": [
        "transcription.api.rates.UserThrottle",
        "transcription.api.rates.TokenThrottle",
        "transcription.api.rates.ScopeThrottle",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["transcription.api.authentication.ScopePermission"],
    "DEFAULT_RENDERER_CLASSES": [
        "rest_framework.renderers.JSONRenderer",
        "rest_framework.renderers.BrowsableAPIRenderer",
    ],
    "DEFAULT_PARSER_CLASSES": [
        "rest_framework.parsers.JSONParser",
        "rest_framework.parsers.FormParser",
        "rest_framework.parsers.MultiPartParser",
    ],
    "DEFAULT_SCHEMA_CLASS": "transcription.api.schema.route.RouteSchema",
    "EXCEPTION_HANDLER": "transcription.api.errors.exception_handler",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "COERCE_DECIMAL_TO_STRING": False,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Speech recognition",
    "DESCRIPTION": "Recordings in, reviewed text out. Errors: docs/errors.md.",
    "VERSION": None,
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["transcription.api.schema.route.one_address_each"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "transcription.api.schema.route.complete",
    ],
    "ENUM_NAME_OVERRIDES": {
        "TranscriptionStatusEnum": "transcription.models.Transcription.Status",
        "ReviewStateEnum": "transcription.models.Transcription.ReviewState",
        "RevisionKindEnum": "transcription.models.Revision.Kind",
        "PartKindEnum": "transcription.api.review.PART_KINDS",
        "KindEnum": "transcription.models.Delivery.Kind",
        "DeliveryStatusEnum": "transcription.api.webhooks.DELIVERY_STATUSES",
        "TokenScopeEnum": "transcription.models.ApiToken.Scope",
    },
    # From the package: the page works without the internet.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
