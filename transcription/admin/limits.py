"""Quotas of single users."""

from __future__ import annotations

from django.contrib import admin

from transcription.models import UserLimits


@admin.register(UserLimits)
class UserLimitsAdmin(admin.ModelAdmin):
    """An empty field leaves it to the setting (ASR_QUOTA_…); 0 takes the limit away."""

    list_display = ("user", "unfinished_jobs", "stored_mb", "audio_minutes_per_day")
    list_select_related = ("user",)
    search_fields = ("user__username",)
    autocomplete_fields = ("user",)
