import pytest

from merchants.redaction import redacted

KEY = "nC2fY7_9qK-31xTz5bWd0A"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"GET /i/{KEY}/pdf", "GET /i/…/pdf"),
        (f'<a href="https://pay.example/r/confirm/{KEY}/">', '<a href="https://pay.example/r/confirm/…/">'),
        (f"550 rejected: https%3A%2F%2Fpay.example%2Fi%2F{KEY}%2F see policy", "550 rejected: https%3A%2F%2Fpay.example%2Fi%2F…%2F see policy"),
        (f"?u=%252funsubscribe%252f{KEY}", "?u=%252funsubscribe%252f…"),
        ("/i/short/ and /invoices/148/", "/i/short/ and /invoices/148/"),
    ],
)
def test_what_opens_a_page_is_left_out_however_it_is_written(text: str, kept: str) -> None:
    assert redacted(text) == kept
