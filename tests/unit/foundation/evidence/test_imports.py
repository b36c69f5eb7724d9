"""A module's code is what it imports, wherever the import stands, and nothing else."""

import pytest

from include.foundation.errors import InvalidInput
from include.foundation.evidence import code
from include.foundation.evidence.imports import reachable

FILES = {
    "include/__init__.py": "",
    "include/foundation/__init__.py": "",
    "include/foundation/lake/tables.py": "",
    "include/foundation/spec.py": "",
    "include/foundation/text.py": "import include.foundation.words\n",
    "include/foundation/words.py": "",
    "include/models/trees/__init__.py": "from .fit import fit\n",
    "include/models/trees/fit.py": "from .. import bias\nfrom . import loss\n",
    "include/models/trees/loss.py": "",
    "include/models/bias.py": "",
    "include/models/other.py": "",
    "include/stages/gates.py": "",
    "include/use_cases/rain/model.py": """
from typing import TYPE_CHECKING

import polars
from include.foundation.spec import View
from include.models import trees

if TYPE_CHECKING:
    from include.stages import gates
else:
    from include.use_cases.rain import season

def predict():
    from include.foundation.lake.tables import read
    from include.foundation.text import lower
""",
    "include/use_cases/rain/season.py": "",
    "include/use_cases/rain/stations.csv": "id\n",
    "include/use_cases/rain/use_case.yaml": "name: rain\n",
    "include/use_cases/rain/notes.md": "",
    "include/use_cases/snow/model.py": "",
}
MODEL = "include.use_cases.rain.model"
REACHED = {
    "include/__init__.py",
    "include/foundation/__init__.py",
    "include/foundation/text.py",
    "include/foundation/words.py",
    "include/models/trees/__init__.py",
    "include/models/trees/fit.py",
    "include/models/trees/loss.py",
    "include/models/bias.py",
    "include/use_cases/rain/model.py",
    "include/use_cases/rain/season.py",
    "include/use_cases/rain/stations.csv",
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(code, "ROOT", tmp_path)
    return tmp_path


def test_imports_are_followed(root):
    assert {str(path.relative_to(root)) for path in reachable(root, MODEL)} == REACHED


@pytest.mark.parametrize("name", FILES)
def test_the_digest_is_of_what_is_reached(root, name):
    before = code.digest.__wrapped__(MODEL)
    with (root / name).open("a") as file:
        file.write("# more\n")
    assert (code.digest.__wrapped__(MODEL) != before) is (name in REACHED)


def test_the_digest_does_not_depend_on_where_the_code_lies(root, tmp_path_factory, monkeypatch):
    here = code.digest.__wrapped__(MODEL)
    there = root.rename(tmp_path_factory.mktemp("elsewhere") / "srv")
    monkeypatch.setattr(code, "ROOT", there)
    assert code.digest.__wrapped__(MODEL) == here


def test_a_module_that_is_not_there_or_not_python_is_named(root):
    with pytest.raises(InvalidInput, match=r"no module include\.use_cases\.hail\.model"):
        reachable(root, "include.use_cases.hail.model")
    (root / "include/models/bias.py").write_text("def\n")
    with pytest.raises(InvalidInput, match=r"bias\.py is not valid Python"):
        reachable(root, MODEL)
