"""Every URL. The merchant is in the path, so that two tabs with two businesses never mix."""

from django.conf import settings
from django.contrib import admin
from django.urls import include, path
from django.utils.module_loading import import_string

import invoicing.public_urls
import invoicing.urls
import merchants.urls
import notifications.urls
import payments.urls
from config import health

merchant_patterns = [
    *invoicing.urls.merchant_patterns,
    *payments.urls.merchant_patterns,
    *notifications.urls.merchant_patterns,
    *merchants.urls.merchant_patterns,
]

urlpatterns = [
    *merchants.urls.urlpatterns,
    path("accounts/", include("allauth.urls")),
    path("m/<slug:merchant>/", include(merchant_patterns)),
    path("i/<slug:public_id>/", include([*invoicing.public_urls.urlpatterns, *payments.urls.public_patterns])),
    path("r/", include(payments.urls.refund_patterns)),
    path("admin/", admin.site.urls),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("status", health.status, name="status"),
    *notifications.urls.urlpatterns,
]
if settings.MAIL_EVENTS:
    urlpatterns.append(path("mail-events/", import_string(settings.MAIL_EVENTS).as_view(), name="mail_events"))
