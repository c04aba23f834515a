"""The stack of a journey whose businesses are live: real networks, and no sandbox."""

from config.settings.demo import *  # noqa: F403

NEW_MERCHANTS_ARE_TEST = False
SANDBOX_OPEN = False
