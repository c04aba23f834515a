"""TEMPORARY while modules land; the lead replaces it."""

import importlib
import importlib.util

from django.contrib import admin
from django.urls import include, path


def found(module, name):
    try:
        if importlib.util.find_spec(module) is None:
            return []
    except ModuleNotFoundError:
        return []
    return getattr(importlib.import_module(module), name, [])


merchant_patterns = [
    *found("invoicing.urls", "merchant_patterns"),
    *found("notifications.urls", "merchant_patterns"),
    *found("merchants.urls", "merchant_patterns"),
]
urlpatterns = [
    *found("merchants.urls", "urlpatterns"),
    path("accounts/", include("allauth.urls")),
    path("m/<slug:merchant>/", include(merchant_patterns)),
    path("i/<str:public_id>/", include([*found("invoicing.public_urls", "urlpatterns"), *found("payments.urls", "public_patterns")])),
    path("admin/", admin.site.urls),
    *found("notifications.urls", "urlpatterns"),
]
if importlib.util.find_spec("config.health"):
    from config import health

    urlpatterns += [path("healthz", health.healthz, name="healthz"), path("readyz", health.readyz, name="readyz"), path("status", health.status, name="status")]
