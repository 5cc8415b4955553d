"""The description of the API (OpenAPI 3), for programs and for the page to try calls on.

The views say what they do; what the framework cannot see of it is told here, beside them:
answers that are built by hand (``shapes``), errors (``refusals``), who may call (``callers``),
and which of these belongs to which route (``routes``).
"""
