"""What the fuzzer found worth keeping is tried again in every run of the tests, without the fuzzer."""

import hashlib
import importlib.util
from pathlib import Path

import pytest

from tests.fuzz import explore
from tests.fuzz.explore import CORPUS, CORPUS_FILES_MAX, DICTIONARY
from tests.fuzz.form import FILE_BYTES_MAX, record_of
from tests.fuzz.seeds import seeds
from tests.fuzz.target import FINDINGS, keep
from tests.wire.given import reading
from tests.wire.promises import check
from worker.wire.actions import ACTIONS
from worker.wire.request import Request, Unreadable, Why

FILES = sorted(CORPUS.iterdir())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_record_of_the_corpus_breaks_no_promise(path: Path) -> None:
    check(record_of(path.read_bytes()))


def test_the_fuzzer_starts_where_no_promise_is_broken() -> None:
    for file in seeds():
        check(record_of(file))


def test_the_corpus_is_small_and_its_files_are_named_after_what_is_in_them() -> None:
    contents = [path.read_bytes() for path in FILES]

    assert 0 < len(FILES) <= CORPUS_FILES_MAX
    assert all(len(content) <= FILE_BYTES_MAX + 1 for content in contents)
    assert [path.name for path in FILES] == [
        hashlib.sha1(content, usedforsecurity=False).hexdigest() for content in contents
    ]


def test_the_corpus_leads_to_every_command_and_to_every_reason_for_a_dead_letter() -> None:
    read = [reading(record_of(path.read_bytes())) for path in FILES]
    carried_out = {each.type for each in read if isinstance(each, Request) and each.action is not None}
    put_aside = {each.reason for each in read if isinstance(each, Unreadable)}

    assert carried_out == set(ACTIONS)
    assert put_aside == set(Why) - {Why.TOO_LARGE, Why.INTERNAL_ERROR}  # larger than a file; no reader's to say


def test_the_dictionary_is_in_the_form_of_libfuzzer() -> None:
    lines = DICTIONARY.read_text("utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith("#")]

    assert len(words) > 100
    assert all(word.isascii() and word.startswith('"') and word.endswith('"') for word in words)


def test_a_finding_is_kept_once_for_each_place_that_it_breaks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FINDINGS, str(tmp_path))
    for content in (b"1", b"2"):
        try:
            int(content.decode(), 1)
        except ValueError as error:
            keep(content, error)

    kept = sorted(tmp_path.iterdir())
    assert [path.suffix for path in kept] == ["", ".txt"]
    assert kept[0].read_bytes() == b"1"
    assert "ValueError" in kept[1].read_text("utf-8")


def test_without_atheris_the_program_says_where_it_comes_from(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)

    assert explore.main([]) == 2
    assert "requirements/fuzz.txt" in capsys.readouterr().err
