"""`python -m tests.goldens`: write the files of every mail anew."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["WRITE_GOLDENS"] = "1"
    sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", str(Path(__file__).parents[1] / "notifications" / "test_goldens.py")]))
