import pytest
from fastapi.testclient import TestClient

from flightline.ui import menu


@pytest.fixture
def client():
    menu._pages.cache_clear()
    yield TestClient(menu.app, follow_redirects=False)
    menu._pages.cache_clear()


@pytest.mark.parametrize("path", menu.NAMES)
def test_nobody_is_shown_where_the_systems_are_without_a_login(client, path) -> None:
    assert client.get(f"/{path}").status_code == 401
