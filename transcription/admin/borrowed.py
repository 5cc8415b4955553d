"""Words of other people's pages that their own Chinese catalogues lack.

They are marked here so that ours has them. A test says that no page of the admin shows English to
a Chinese reader; when Django has a word itself, its line here can go.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop as _T

DJANGO_Q = (_T("Task"),)
DJANGO = (
    _T("Model name"),
    _T("Add link"),
    _T("Change or view list link"),
    _T("Error:"),
    _T("After you’ve created a user, you’ll be able to edit more user options."),
)
