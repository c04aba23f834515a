"""`make run`: everything on this machine, mail into a page, test merchants only."""

from config import mail
from config.settings.base import *  # noqa: F403
from config.settings.base import DATA_DIR, env

SECRET_KEY = env.str("SECRET_KEY", default="demo-only-and-no-secret-" + "x" * 40)
ENCRYPTION_KEYS = env.list("ENCRYPTION_KEYS", default=["demo-only-and-no-secret"])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"])
INTERNAL_NETWORK_ONLY = True
SIGNUP_OPEN = env.bool("SIGNUP_OPEN", default=True)
NEW_MERCHANTS_ARE_TEST = True
SANDBOX_OPEN = True
STATUS_OPEN = True
MAILBOX_PAGE = True
WEBHOOK_ALLOW_LOOPBACK = True
CLOCK_FILE = env.str("CLOCK_FILE", default=str(DATA_DIR / "clock"))

# Without EMAIL_URL mail lands in files that /dev/mailbox/ shows.
if env.str("EMAIL_URL", default=""):
    vars().update(mail.settings_of(env.str("EMAIL_URL"), events_secret=env.str("MAIL_EVENTS_SECRET", default="")))
else:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mailbox"
