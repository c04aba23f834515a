"""The code that the page 'Check a signature' offers, run in each language that is on this machine."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from standardwebhooks import Webhook

pytestmark = pytest.mark.sqlite

FOLDER = Path(settings.BASE_DIR) / "docs" / "verify"
SECRET, OTHER = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_c2VjcmV0LW9mLXNvbWVib2R5LWVsc2UtMDE="
APP_ID = "app_5b1e0d0a9c3f4e2d7a66"
BODY = '{"type":"invoice.paid","data":{"title":"Café, Logo & Wort­marke"}}'

# Each reads the cases from standard input and writes a list of answers.
PYTHON = """
import json, sys
sys.path.insert(0, {folder!r})
from email.message import Message
import verify
def headers(of):
    found = Message()
    for name, value in of.items(): found[name] = value
    return found
answers = []
for c in json.load(sys.stdin):
    h, body = headers(c["headers"]), c["body"].encode()
    answers.append(verify.check_standard(c["secret"], h, body) if c["format"] == "standard"
                   else verify.check_ccpayment(c["app_id"], c["secret"], h, body))
print(json.dumps(answers))
"""
NODE = """
import {{ readFileSync }} from "node:fs";
import {{ checkStandard, checkCcpayment }} from {module!r};
const answers = JSON.parse(readFileSync(0, "utf8")).map((c) => {{
  const headers = Object.fromEntries(Object.entries(c.headers).map(([name, value]) => [name.toLowerCase(), value]));
  const body = Buffer.from(c.body);
  return c.format === "standard" ? checkStandard(c.secret, headers, body) : checkCcpayment(c.app_id, c.secret, headers, body);
}});
console.log(JSON.stringify(answers));
"""
PHP = """
require {file!r};
$answers = [];
foreach (json_decode(stream_get_contents(STDIN), true) as $c) {{
    $answers[] = $c['format'] === 'standard' ? check_standard($c['secret'], $c['headers'], $c['body'])
                                             : check_ccpayment($c['app_id'], $c['secret'], $c['headers'], $c['body']);
}}
echo json_encode($answers);
"""
GO = """package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"

	"quittance.test/verify"
)

func main() {
	var cases []struct {
		Format  string            `json:"format"`
		AppID   string            `json:"app_id"`
		Secret  string            `json:"secret"`
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	}
	if err := json.NewDecoder(os.Stdin).Decode(&cases); err != nil {
		panic(err)
	}
	answers := []bool{}
	for _, c := range cases {
		headers := http.Header{}
		for name, value := range c.Headers {
			headers.Set(name, value)
		}
		if c.Format == "standard" {
			answers = append(answers, verify.CheckStandard(c.Secret, headers, []byte(c.Body)))
		} else {
			answers = append(answers, verify.CheckCCPayment(c.AppID, c.Secret, headers, []byte(c.Body)))
		}
	}
	out, _ := json.Marshal(answers)
	fmt.Println(string(out))
}
"""


def command(language: str, folder: Path) -> list[str]:
    """What runs the offered file of `language` on the cases."""
    match language:
        case "python":
            return [sys.executable, "-B", "-c", PYTHON.format(folder=str(FOLDER))]
        case "node":
            return ["node", "--input-type=module", "-e", NODE.format(module=(FOLDER / "verify.mjs").as_uri())]
        case "php":
            return ["php", "-r", PHP.format(file=str(FOLDER / "verify.php"))]
    (folder / "verify").mkdir()
    shutil.copy(FOLDER / "verify.go", folder / "verify")
    (folder / "go.mod").write_text("module quittance.test\n\ngo 1.18\n")
    (folder / "main.go").write_text(GO)
    return ["go", "run", "."]


def answers(language: str, cases: list[dict[str, Any]], folder: Path) -> list[bool]:
    done = subprocess.run(command(language, folder), input=json.dumps(cases), capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: list[bool] = json.loads(done.stdout)
    return found


def standard(*, at: int, secret: str = SECRET, body: str = BODY) -> dict[str, Any]:
    """Signed by the published library, not by the code of the project."""
    signature = Webhook(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signature}
    return {"format": "standard", "secret": SECRET, "headers": headers, "body": body}


def ccpayment(*, at: int, secret: str = SECRET, body: str = BODY) -> dict[str, Any]:
    """Signed by the formula that CCPayment has published."""
    sign = hashlib.sha256(f"{APP_ID}{secret}{at}{body}".encode()).hexdigest()
    return {"format": "ccpayment", "app_id": APP_ID, "secret": SECRET, "headers": {"Appid": APP_ID, "Timestamp": str(at), "Sign": sign}, "body": body}


def cases(now: int) -> list[tuple[str, dict[str, Any], bool]]:
    """What it is, the webhook, and whether it is to be believed."""
    two = standard(at=now)
    two["headers"]["webhook-signature"] = f"{standard(at=now, secret=OTHER)['headers']['webhook-signature']} {two['headers']['webhook-signature']}"
    found: list[tuple[str, dict[str, Any], bool]] = [("two signatures, the second one fits", two, True)]
    for signed, old in ((standard, 330), (ccpayment, 150)):
        name = signed.__name__
        found += [
            (f"{name}: right", signed(at=now), True),
            (f"{name}: an empty body", signed(at=now, body=""), True),
            (f"{name}: another body", signed(at=now) | {"body": BODY.replace("paid", "void")}, False),
            (f"{name}: another secret", signed(at=now, secret=OTHER), False),
            (f"{name}: old", signed(at=now - old), False),
            (f"{name}: from the future", signed(at=now + old), False),
            (f"{name}: no headers", signed(at=now) | {"headers": {}}, False),
        ]
    for header, value in (
        ("webhook-signature", "v1,"),
        ("webhook-signature", ""),
        ("webhook-timestamp", "soon"),
        ("webhook-timestamp", str(now + 1)),
        ("webhook-id", "msg_2"),
        ("webhook-signature", "v1,é"),
    ):
        case = standard(at=now)
        case["headers"][header] = value
        found.append((f"standard: {header} is {value!r}", case, False))
    for header, value in (("Appid", "app_of_somebody_else"), ("Timestamp", str(now + 1)), ("Timestamp", ""), ("Sign", ""), ("Sign", "é")):
        case = ccpayment(at=now)
        case["headers"][header] = value
        found.append((f"ccpayment: {header} is {value!r}", case, False))
    return found


@pytest.mark.parametrize("language", ["python", "node", "php", "go"])
def test_the_offered_code_believes_what_is_signed_and_nothing_else(language: str, tmp_path: Path) -> None:
    if language != "python" and not shutil.which(language):
        pytest.skip(f"{language} is not on this machine")
    tried = cases(int(time.time()))
    got = answers(language, [case for _what, case, _right in tried], tmp_path)

    assert dict(zip((what for what, _case, _right in tried), got, strict=True)) == {what: right for what, _case, right in tried}


def test_the_vectors_of_ccpayments_formula_are_what_these_tests_sign_by() -> None:
    said = hashlib.sha256(b'TESTAPPID0000001test-app-secret-00011700000000{"coinId":1280}').hexdigest()
    assert said == "176eae9bc580e5b7d0b354cf5f2274e7ed04b9136c4ddde80ad6653021674f81"
