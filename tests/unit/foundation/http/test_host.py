import pytest

from include.foundation.http.host import Hosts


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        ("127.0.0.1:8080", True),
        ("[::1]:80", True),
        ("10.2.3.4", True),
        ("localhost", True),
        ("LocalHost:5500", True),
        ("serving", True),
        ("shops.team.svc", True),
        ("shops.team.svc.cluster.local.:8080", True),
        ("models.agency.gov", True),
        ("MODELS.agency.gov:443", True),
        ("a.b.example.org", True),
        ("example.org", False),
        ("evil.example", False),
        ("evil.example.com:8080", False),
        ("models.agency.gov.evil.com", False),
        ("127.0.0.1.evil.com", False),
        ("", False),
        ("a b", False),
        ("evil.com/localhost", False),
        ("[::1", False),
        ("localhost:port", False),
        ("user@localhost", False),
        ("\xff", False),
    ],
)
def test_names_that_nobody_else_can_point_here(header: str, allowed: bool) -> None:
    hosts = Hosts(["models.agency.gov", ".example.org"])
    assert [hosts.allow(header.encode("latin-1")) for _ in range(2)] == [allowed, allowed]


def test_what_is_remembered_is_bounded() -> None:
    hosts = Hosts()
    for number in range(3000):
        hosts.allow(b"h%d.example" % number)
    assert len(hosts._verdicts) == 1000
