import json

import pytest

from sandbox.cluster.images import Images, UnknownImageError, repository


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("a", "a"),
        ("a:1", "a"),
        ("team/a:1", "team/a"),
        ("registry:5000/a", "registry:5000/a"),
        ("registry:5000/team/a:1.2@sha256:00", "registry:5000/team/a"),
        ("a@sha256:00", "a"),
    ],
)
def test_repository(reference, name):
    assert repository(reference) == name


def test_the_file_may_change_while_it_is_used(tmp_path):
    path = tmp_path / "images.json"
    images = Images(path)
    with pytest.raises(UnknownImageError, match=str(path)):
        images.find("a:1")
    path.write_text(json.dumps({"a": {"path": "/bin", "entrypoint": ["x"]}}))
    assert (images.find("a:2").path, images.find("a").entrypoint, images.find("a").workdir) == ("/bin", ("x",), "/")
    with pytest.raises(UnknownImageError, match="not found"):
        images.find("b")
