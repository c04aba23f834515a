"""The tests: SQLite, or PostgreSQL when TEST_DATABASE_URL names one that the fixtures started."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

from config.settings.base import *  # noqa: F403
from config.settings.base import MIDDLEWARE, ROOT, database

SECRET_KEY = "only-for-tests-" + "x" * 40
ENCRYPTION_KEYS = ["only-for-tests"]
ALLOWED_HOSTS = ["*"]
SITE_URL = "http://testserver"
DATA_DIR = Path(tempfile.mkdtemp(prefix="quittance-tests-"))
atexit.register(shutil.rmtree, DATA_DIR, ignore_errors=True)
MEDIA_ROOT = DATA_DIR / "files"
DATABASES = {"default": database(os.environ.get("TEST_DATABASE_URL", f"sqlite:///{DATA_DIR / 'test.sqlite3'}"))}
MIDDLEWARE = ["tests.turns.one_at_a_time", *MIDDLEWARE]
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_BROKER_URL = "memory://"
CELERY_TASK_ALWAYS_EAGER = False
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
MAIL_FROM = DEFAULT_FROM_EMAIL = "Quittance <quittance@quittance.example>"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATICFILES_DIRS = [ROOT / "static"]
WHITENOISE_AUTOREFRESH = True
SIGNUP_OPEN = True
NEW_MERCHANTS_ARE_TEST = True
SANDBOX_OPEN = True
WEBHOOK_ALLOW_LOOPBACK = True
MAILBOX_PAGE = True
CLOCK_FILE = str(DATA_DIR / "clock")
