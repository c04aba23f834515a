"""Where a journey's messages arrive: real servers on this machine."""

import smtplib
from email.message import EmailMessage

import pytest
import requests

from tests.sinks import Answer


def send(sink, subject, to="ana@duarte.example"):
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = subject, "studio@harbourpine.example", to
    message.set_content("Ana, here is your invoice.")
    message.add_alternative("<p>Ana, here is your invoice.</p>", subtype="html")
    host, _colon, port = sink.url.removeprefix("smtp://").partition(":")
    with smtplib.SMTP(host, int(port)) as line:
        line.send_message(message)


def test_a_mail_is_kept_as_it_came(mail_sink):
    mail_sink.clear()
    send(mail_sink, "Rechnung für Zoë")
    mail = mail_sink.to("ana@duarte.example", "Zoë", timeout=5)
    assert (mail.sender, mail.subject, mail.text, mail.html) == (
        "studio@harbourpine.example",
        "Rechnung für Zoë",
        "Ana, here is your invoice.\n",
        "<p>Ana, here is your invoice.</p>\n",
    )


def test_the_mail_server_answers_as_it_is_told(mail_sink):
    mail_sink.answer = "451 Try later"
    try:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            send(mail_sink, "Later")
    finally:
        mail_sink.answer = None
    assert refused.value.smtp_code == 451


def test_waiting_for_what_does_not_come_says_what_came(mail_sink):
    mail_sink.clear()
    send(mail_sink, "Something else")
    with pytest.raises(AssertionError, match=r"'Something else' to ana@duarte\.example"):
        mail_sink.to("ana@duarte.example", "Receipt", timeout=0.2)


def test_a_request_is_kept_byte_for_byte(web_sink):
    web_sink.clear()
    body = b'{"type":"invoice.paid", "total": "4280.40"}\n'
    assert requests.post(web_sink.url, data=body, headers={"Webhook-Id": "msg_1"}, timeout=5).text == "Success"
    kept = web_sink.wait_for(lambda request: request.headers["webhook-id"] == "msg_1", timeout=5)
    assert (kept.method, kept.path, kept.body, kept.answered) == ("POST", "/hook", body, 200)


def test_the_web_server_answers_as_it_is_told_then_as_always(web_sink):
    web_sink.next = [Answer(503, b"Closed"), Answer(302, headers={"Location": "/elsewhere"})]
    answers = [requests.post(web_sink.url, data=b"{}", timeout=5, allow_redirects=False).status_code for _request in range(3)]
    assert answers == [503, 302, 200]
