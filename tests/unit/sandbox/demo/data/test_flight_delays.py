from datetime import date

from sandbox.demo.data.flight_delays import split

RAW = b"origin,year,month,day,hour\nEWR,2013,1,2,NA\nEWR,2013,1,10,1\nJFK,2013,1,2,2\n"


def test_each_day_has_the_header_and_its_lines_byte_for_byte() -> None:
    assert split(RAW, first=1) == {
        date(2013, 1, 2): b"origin,year,month,day,hour\nEWR,2013,1,2,NA\nJFK,2013,1,2,2\n",
        date(2013, 1, 10): b"origin,year,month,day,hour\nEWR,2013,1,10,1\n",
    }
