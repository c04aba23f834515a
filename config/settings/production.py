"""A real installation. What is missing or weak stops it here, with a sentence that says what to do."""

import os

from django.core.exceptions import ImproperlyConfigured

from config import mail
from config.env import required
from config.settings.base import *  # noqa: F403
from config.settings.base import SITE_URL, env

SECRET_KEY = required("SECRET_KEY", "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'.")
if len(SECRET_KEY) < 40 or "demo-only" in SECRET_KEY:
    raise ImproperlyConfigured("SECRET_KEY is too short or a default. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'.")
required("ENCRYPTION_KEYS", "It encrypts the secrets in the database: one long random text, or several with commas between them, newest first.")
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS")
if any(len(key) < 20 or "demo-only" in key for key in ENCRYPTION_KEYS):
    raise ImproperlyConfigured("Each of ENCRYPTION_KEYS needs 20 characters or more, and must not be a default.")
required("SITE_URL", "It is the address people open, such as https://pay.example.com; links in mails start with it.")
if not SITE_URL.startswith("https://"):
    raise ImproperlyConfigured(f"SITE_URL is {SITE_URL}; it must start with https://, since people pay through it.")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[SITE_URL.removeprefix("https://").partition("/")[0].partition(":")[0]])
required("REDIS_URL", "It is the broker, such as redis://127.0.0.1:6379/0.")
required("EMAIL_URL", "It is the mail server, such as smtp+tls://user:password@mail.example.com:587.")
required("MAIL_FROM", "It is the sender of every mail, such as 'Quittance <invoices@example.com>'.")
vars().update(mail.settings_of(env.str("EMAIL_URL"), events_secret=env.str("MAIL_EVENTS_SECRET", default="")))
if "CLOCK_FILE" in os.environ:
    raise ImproperlyConfigured("CLOCK_FILE moves the clock for demonstrations; production must not set it.")

SECURE_SSL_REDIRECT = False  # the proxy in front does it, and /healthz is asked in plain HTTP
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-quittance_session"
CSRF_COOKIE_NAME = "__Host-quittance_csrf"
SILENCED_SYSTEM_CHECKS = ["security.W008"]  # see SECURE_SSL_REDIRECT
