"""The European Central Bank's reference rates (https://www.ecb.europa.eu/stats/eurofxref/).

What one euro is in other currencies, fixed once a working day at about 16:00 CET. Only for crosses of currencies.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from django.utils.translation import gettext as _

from payments.rates import figures
from payments.rates.base import Quoted, SourceFailed, Wanted
from payments.rates.web import Web

PATH = "/stats/eurofxref/eurofxref-daily.xml"
BASE = "EUR"


def parse(body: bytes) -> tuple[dict[str, Decimal], date]:
    """How much of each currency one euro is, and of which day. SourceFailed when there is no such day."""
    try:
        days = [(date.fromisoformat(cube.get("time", "")), cube) for cube in _cubes(fromstring(body)) if "time" in cube.attrib]
    except (ParseError, DefusedXmlException, ValueError):
        days = []
    if not days:
        raise SourceFailed(_("%(source)s answered with something that is not its format.") % {"source": Ecb.label})
    day, latest = max(days, key=lambda found: found[0])
    rates = {cube.get("currency", ""): figures.price(cube.get("rate")) for cube in latest}
    return {currency: rate for currency, rate in rates.items() if len(currency) == 3 and rate is not None}, day


def _cubes(root: Element) -> list[Element]:
    """Under whichever namespace."""
    return [found for found in root.iter() if isinstance(found.tag, str) and found.tag.rpartition("}")[2] == "Cube"]


class Ecb:
    label = "ECB"
    url = "https://www.ecb.europa.eu"

    def ask(self, web: Web, wanted: Wanted, *, now: datetime) -> list[Quoted]:
        rates, day = parse(web.get(PATH))
        euro = {**rates, BASE: figures.ONE}
        at = datetime(day.year, day.month, day.day, tzinfo=UTC)
        crosses = [pair for pair in wanted.pairs() if euro.keys() >= set(pair)]
        values = {(name, other): figures.within(figures.PRECISION.divide(euro[other], euro[name])) for name, other in crosses}
        return [Quoted(self.label, *pair, value, at, is_reference=True) for pair, value in values.items() if value is not None]
