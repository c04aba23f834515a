"""The demo's mailbox, from files that Django's own backend wrote."""

from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from merchants.models import Logo, Merchant
from notifications import courier, fanout
from notifications.mail import mailbox
from tests.factories import NOW, make_draft, publish
from tests.notifications.test_email_transport import PNG

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    settings.EMAIL_FILE_PATH = str(tmp_path)
    return tmp_path


@pytest.fixture
def sent(folder: Path, merchant: Merchant) -> str:
    """Two invoices mailed in one round; the name of the newest mail."""
    merchant.logo = Logo.keep(PNG)
    merchant.save()
    for title in ("First", "Second"):
        publish(make_draft(merchant, title=title))
    fanout.run(NOW)
    courier.round_of("email", now=NOW)
    return mailbox.latest()[0].name


def test_the_list_shows_every_mail_newest_first(client: Client, sent: str) -> None:
    html = client.get("/dev/mailbox/").content.decode()

    assert [mail.subject for mail in mailbox.latest()] == [
        "Invoice INV-000002 from Harbour & Pine: 1,800.00 EUR",
        "Invoice INV-000001 from Harbour & Pine: 1,800.00 EUR",
    ]
    assert f'href="/dev/mailbox/{sent}/"' in html
    assert "Invoice INV-000002 from Harbour &amp; Pine: 1,800.00 EUR" in html


def test_one_mail_with_its_text_and_its_frame(client: Client, sent: str) -> None:
    answer = client.get(f"/dev/mailbox/{sent}/")
    html = answer.content.decode()

    assert "Hello Ana Duarte," in html
    assert "Harbour &amp; Pine &lt;quittance@quittance.example&gt;" in html
    assert "ana@duarte.example" in html
    assert 'sandbox="allow-popups allow-top-navigation-by-user-activation"' in html
    assert f'src="/dev/mailbox/{sent}/html/"' in html
    assert "frame-src 'self'" in answer["content-security-policy"]


def test_the_frame_shows_the_mail_with_its_picture_and_opens_links_in_the_window(client: Client, sent: str) -> None:
    answer = client.get(f"/dev/mailbox/{sent}/html/")
    html = answer.content.decode()

    assert answer["x-frame-options"] == "SAMEORIGIN"
    policy = answer["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "style-src 'unsafe-inline'" in policy
    assert "frame-ancestors 'self'" in policy
    assert "script-src" not in policy
    assert '<a target="_top" class="button-link" href="http://testserver/i/' in html
    assert "data:image/png;base64,iVBORw0KGgo" in html
    assert "cid:logo" not in html


def test_a_mail_without_html_shows_its_links(client: Client, folder: Path) -> None:
    mail.send_mail("Confirm", "Open http://testserver/confirm/x/", None, ["ines@harbourpine.example"])
    [found] = mailbox.latest()

    assert '<a href="http://testserver/confirm/x/" rel="nofollow">' in client.get(f"/dev/mailbox/{found.name}/").content.decode()


@pytest.mark.parametrize("name", ["nonsense", "20261117-100000-1-0", "20261117-100000-1-9999", "x-0"])
def test_what_is_not_there_is_not_found(client: Client, sent: str, name: str) -> None:
    assert client.get(f"/dev/mailbox/{name}/").status_code == 404
    assert client.get(f"/dev/mailbox/{name}/html/").status_code == 404


def test_a_broken_file_and_an_empty_folder_are_no_error(client: Client, folder: Path) -> None:
    assert client.get("/dev/mailbox/").status_code == 200
    (folder / "20261117-100000-5.log").write_bytes(b"\xff\xfe not a mail\n" + b"-" * 79 + b"\n")
    assert client.get("/dev/mailbox/").status_code == 200
    assert client.get("/dev/mailbox/20261117-100000-5-0/").status_code == 200


def test_only_as_many_files_are_opened_as_are_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(300):
        (folder / f"20261117-100000-{number}.log").write_bytes(b"Subject: x\n\nx\n" + b"-" * 79 + b"\n")
    opened: list[str] = []
    real = Path.read_bytes

    def reading(self: Path) -> bytes:
        opened.append(self.name)
        return real(self)

    monkeypatch.setattr(Path, "read_bytes", reading)

    assert (len(mailbox.latest()), len(opened)) == (60, 60)


def test_outside_the_demo_there_is_no_mailbox(client: Client, sent: str, settings: Any) -> None:
    settings.MAILBOX_PAGE = False

    for path in ("", f"{sent}/", f"{sent}/html/"):
        assert client.get(f"/dev/mailbox/{path}").status_code == 404
