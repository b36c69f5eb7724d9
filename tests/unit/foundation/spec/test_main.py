import runpy
import sys

import pytest

from include.foundation.spec.schema import schema

MODULE = "include.foundation.spec.__main__"


def test_the_schema_is_printed_as_it_is_published(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["spec", "schema"])
    runpy.run_module(MODULE, run_name="__main__")
    assert capsys.readouterr().out == schema()


@pytest.mark.parametrize("words", [[], ["sceme"]])
def test_another_word_is_refused_and_the_known_one_named(monkeypatch, capsys, words):
    monkeypatch.setattr(sys, "argv", ["spec", *words])
    with pytest.raises(SystemExit) as left:
        runpy.run_module(MODULE, run_name="__main__")
    assert left.value.code == 2
    told = capsys.readouterr()
    assert "schema" in told.err
    assert told.out == ""
