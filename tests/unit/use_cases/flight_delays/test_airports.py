import re
from zoneinfo import ZoneInfo

from include.use_cases.flight_delays.airports import _ZONES, ZONE_OF


def test_each_zone_is_known_and_each_airport_is_in_one():
    for zone in {*ZONE_OF.values()}:
        ZoneInfo(zone)
    assert len(ZONE_OF) == sum(len(airports.split()) for airports in _ZONES.values())
    assert all(re.fullmatch("[A-Z]{3}", airport) for airport in ZONE_OF)
