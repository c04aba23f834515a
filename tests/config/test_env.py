"""What an installation refuses, before it does any harm: each case in a process of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config import env
from config.env import KNOWN, ROOT

# Everything production needs, as it should be.
WHOLE = {
    "SECRET_KEY": "k7Jx-" * 10,
    "ENCRYPTION_KEYS": "a-long-and-random-text-of-its-own",
    "SITE_URL": "https://pay.example.com",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "EMAIL_URL": "smtp+tls://user:password@mail.example.com:587",
    "MAIL_FROM": "Quittance <invoices@example.com>",
}
EXAMPLES = ["NETWORK_ETHEREUM_URLS", "NETWORK_BITCOIN_URLS", "NETWORK_TRON_ENABLED", "NETWORK_POLYGON_CONFIRMATIONS"]
START = "import django, django.conf; django.setup(); print('started', django.conf.settings.ALLOWED_HOSTS)"


def start(tmp_path, settings="config.settings.production", **environment):
    """Start Django with exactly this environment; its exit code, and the last line it wrote."""
    clean = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG", "TMPDIR")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", START],
        cwd=ROOT,
        env={**clean, "DJANGO_SETTINGS_MODULE": settings, "DATA_DIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).strip().splitlines()[-1].removeprefix("django.core.exceptions.ImproperlyConfigured: ")


def test_a_whole_production_starts(tmp_path):
    assert start(tmp_path, **WHOLE) == (0, "started ['pay.example.com']")


@pytest.mark.parametrize("name", WHOLE)
def test_production_without_one_of_them_says_which_and_what_it_is(tmp_path, name):
    code, said = start(tmp_path, **{key: value for key, value in WHOLE.items() if key != name})
    assert code == 1
    assert re.fullmatch(rf"{name} is not set\. .+ See \.env\.example\.", said)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        (
            {"SECRET_KEY": "short"},
            "SECRET_KEY is too short or a default. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'.",
        ),
        (
            {"SECRET_KEY": "demo-only-and-no-secret-" + "x" * 40},
            "SECRET_KEY is too short or a default. Make one with: python -c 'import secrets; print(secrets.token_urlsafe(50))'.",
        ),
        (
            {"ENCRYPTION_KEYS": "demo-only-and-no-secret"},
            "Each of ENCRYPTION_KEYS needs 20 characters or more, and must not be a default.",
        ),
        (
            {"ENCRYPTION_KEYS": "a-long-and-random-text-of-its-own,short"},
            "Each of ENCRYPTION_KEYS needs 20 characters or more, and must not be a default.",
        ),
        (
            {"SITE_URL": "http://pay.example.com"},
            "SITE_URL is http://pay.example.com; it must start with https://, since people pay through it.",
        ),
        (
            {"CLOCK_FILE": "/var/lib/quittance/clock"},
            "CLOCK_FILE moves the clock for demonstrations; production must not set it.",
        ),
    ],
)
def test_production_refuses_what_is_weak(tmp_path, changed, sentence):
    assert start(tmp_path, **{**WHOLE, **changed}) == (1, sentence)


@pytest.mark.parametrize(("misspelt", "meant"), [("ENCRYPTION_KEY", "ENCRYPTION_KEYS"), ("DATABSE_URL", "DATABASE_URL"), ("SECRETKEY", "SECRET_KEY")])
def test_a_misspelt_name_in_the_environment_stops_the_demo_too(tmp_path, misspelt, meant):
    code, said = start(tmp_path, settings="config.settings.demo", **{misspelt: "x"})
    assert (code, said) == (1, f"{misspelt} in the environment is not a setting of Quittance. Did you mean {meant}? The list is in .env.example.")


def test_a_network_is_set_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("NETWORK_ETHEREUM_URLS", "http://127.0.0.1:8545, http://127.0.0.1:8546")
    monkeypatch.setenv("NETWORK_TRON_ENABLED", "True")
    monkeypatch.setenv("NETWORK_POLYGON_CONFIRMATIONS", "128")
    assert env.network_overrides() == {
        "ethereum": {"urls": ["http://127.0.0.1:8545", "http://127.0.0.1:8546"]},
        "tron": {"enabled": True},
        "polygon": {"confirmations": 128, "larger": []},
    }


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "NETWORK_ETHEREUM_URL",
            "http://127.0.0.1:8545",
            "NETWORK_ETHEREUM_URL in the environment is not a setting of Quittance. A network has NETWORK_<KEY>_URLS, _ENABLED and _CONFIRMATIONS.",
        ),
        ("NETWORK_TRON_ENABLED", "yes", "NETWORK_TRON_ENABLED is 'yes'; see docs/networks.md for what it takes."),
        ("NETWORK_BITCOIN_CONFIRMATIONS", "many", "NETWORK_BITCOIN_CONFIRMATIONS is 'many'; see docs/networks.md for what it takes."),
        ("NETWORK_ETHERIUM_ENABLED", "true", "The catalogue of networks cannot be used: the environment sets etherium, and no network has that key."),
        (
            "NETWORK_BITCOIN_CONFIRMATIONS",
            "9",
            "The catalogue of networks cannot be used: Bitcoin: reorg_depth is 8, less than the 9 confirmations asked for.",
        ),
        (
            "NETWORK_BITCOIN_URLS",
            "http://user:hunter2@127.0.0.1:83320",
            "The catalogue of networks cannot be used: Bitcoin: the URL of a node begins with http:// or https://, or with esplora+ before that.",
        ),
        ("NETWORKS_FILE", "/nowhere.toml", "The catalogue of networks cannot be used: [Errno 2] No such file or directory: '/nowhere.toml'."),
    ],
)
def test_a_network_that_cannot_be_set_so_stops_the_start(tmp_path, name, value, sentence):
    assert start(tmp_path, settings="config.settings.demo", **{name: value}) == (1, sentence)


def test_the_environment_s_other_names_are_nobody_s_business(tmp_path):
    code, _said = start(tmp_path, settings="config.settings.demo", EDITOR="vi", DATABASE_DSN="x", VIRTUAL_ENV="/x")
    assert code == 0


class TestTheFile:
    """`.env` beside manage.py, read here from a folder of its own."""

    @pytest.fixture(autouse=True)
    def elsewhere(self, tmp_path, monkeypatch):
        monkeypatch.setattr(env, "ROOT", tmp_path)
        for name in KNOWN:  # so that what a test loads is gone after it
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
        self.file = tmp_path / ".env"

    def test_an_unknown_name_is_refused(self):
        self.file.write_text("SECRET_KEY=x\nCOLOUR=blue\n")
        with pytest.raises(env.ImproperlyConfigured, match=r"^COLOUR in \.env is not a setting of Quittance\. The list is in \.env\.example\.$"):
            env.read()

    def test_a_misspelt_name_is_told_what_was_meant(self):
        self.file.write_text("REDIS_URI=x\n")
        with pytest.raises(env.ImproperlyConfigured, match=r"^REDIS_URI in \.env is not a setting of Quittance\. Did you mean REDIS_URL\?"):
            env.read()

    def test_what_it_says_is_read(self):
        self.file.write_text("# a remark = none\nLOG_LEVEL=ERROR\n")
        env.read()
        assert os.environ["LOG_LEVEL"] == "ERROR"

    def test_the_real_environment_wins_over_it(self, monkeypatch):
        monkeypatch.setenv("LOG_LEVEL", "DEBUG")
        self.file.write_text("LOG_LEVEL=ERROR\n")
        env.read()
        assert os.environ["LOG_LEVEL"] == "DEBUG"


class TestTheExample:
    def test_it_lists_every_setting_in_the_order_of_the_code(self):
        listed = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
        assert tuple(name for name in listed if not env.OF_A_NETWORK.match(name)) == KNOWN
        assert [name for name in listed if env.OF_A_NETWORK.match(name)] == EXAMPLES

    def test_every_setting_has_a_line_of_explanation(self):
        lines = (ROOT / ".env.example").read_text().splitlines()
        settings = [number for number, line in enumerate(lines) if re.match(r"#?[A-Z_]+=", line)]
        without = [number for number in settings if not lines[number - 1].startswith("# ")]
        assert [lines[number].lstrip("#").partition("=")[0] for number in without] == EXAMPLES[1:]  # those share one

    def test_every_name_that_the_code_reads_is_known(self):
        read = set()
        for path in [*Path(ROOT / "config").rglob("*.py")]:
            read |= set(re.findall(r"""(?:env\.\w+|required|environ\.get)\(\s*["']([A-Z_]+)["']""", path.read_text()))
        assert read - set(KNOWN) - {"TEST_DATABASE_URL"} == set()
