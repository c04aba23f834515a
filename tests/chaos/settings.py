"""The processes of the chaos test: on the test's own database, broker, mail sink and clock."""

import os

from django.db.backends.signals import connection_created

from config.settings.base import database
from config.settings.test import *  # noqa: F403

DATABASES = {"default": database(os.environ["CHAOS_DATABASE_URL"])}
CELERY_BROKER_URL = os.environ["CHAOS_BROKER_URL"].replace("unix://", "redis+socket://", 1)
CLOCK_FILE = os.environ["CHAOS_CLOCK_FILE"]
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_HOST, EMAIL_PORT = "127.0.0.1", int(os.environ["CHAOS_MAIL_PORT"])


def say_who(connection, **_kwargs):
    """What a process claims is marked with its number: so each kill can be held to what it interrupted."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('application_name', %s, false)", [f"pid-{os.getpid()}"])


connection_created.connect(say_who, weak=False)
