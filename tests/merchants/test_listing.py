import pytest
from django.utils import translation

from merchants.listing import all_of, any_of

TOKENS = ["USDT", "USDC", "ETH"]


@pytest.mark.parametrize(
    ("language", "any_one", "all_three"),
    [
        ("en", "USDT, USDC or ETH", "USDT, USDC and ETH"),
        ("de", "USDT, USDC oder ETH", "USDT, USDC und ETH"),
        ("zh-hans", "USDT、USDC或ETH", "USDT、USDC和ETH"),
        ("ar", "USDT أو USDC أو ETH", "USDT وUSDC وETH"),
    ],
)
def test_a_list_is_written_as_its_readers_write_it(language, any_one, all_three):
    with translation.override(language):
        assert (any_of(TOKENS), all_of(TOKENS)) == (any_one, all_three)


def test_one_is_itself_and_none_is_nothing():
    assert (any_of(["USDT"]), all_of(["USDT"]), any_of([]), all_of([])) == ("USDT", "USDT", "", "")
