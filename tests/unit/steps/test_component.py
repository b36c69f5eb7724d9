"""A step as the container of a component."""

import json

import pytest

from include.steps import component


@pytest.fixture
def left(monkeypatch):
    """What a step leaves in the lake."""
    kept = {}

    class Objects:
        def put(self, uri, data):
            kept[uri] = json.loads(data)

    class Lake:
        @staticmethod
        def from_env(environ):
            kept["environ"] = environ["A"]
            return Lake()

        def objects(self):
            return Objects()

    monkeypatch.setattr(component, "Lake", Lake)
    return kept


def run(tmp_path, code, result=""):
    (tmp_path / "..data").mkdir()
    (tmp_path / "A").write_text("of the Secret")
    (tmp_path / "B").write_text("of the Secret")
    words = {
        "--arguments": json.dumps(["-c", code]),
        "--environment": json.dumps({"B": "of the job"}),
        "--failure": "s3://models/f.json",
        "--result": result,
        "--secrets": str(tmp_path),
    }
    return component.main([word for pair in words.items() for word in pair])


def test_a_step_has_the_variables_of_the_secret_and_over_them_its_own(tmp_path, capsys, left):
    assert run(tmp_path, "import os; print(os.environ['A'], 'and', os.environ['B'])") == 0
    assert capsys.readouterr().out == "of the Secret and of the job\n"
    assert left == {}


def test_a_failed_step_leaves_its_exit_code_and_its_last_words(tmp_path, left):
    assert run(tmp_path, "import sys; print('the reason'); sys.exit(65)") == 65
    assert left == {"environ": "of the Secret", "s3://models/f.json": {"code": 65, "said": "the reason"}}


@pytest.mark.parametrize(("result", "told"), [("s3://models/r.json", "s3://models/r.json"), ("", "None")])
def test_a_step_knows_where_its_record_goes_if_it_leaves_one(tmp_path, capsys, left, result, told):
    assert run(tmp_path, "import os; print(os.environ.get('FLIGHTLINE_JOB_RESULT'))", result) == 0
    assert capsys.readouterr().out == f"{told}\n"
