"""Values files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_manager.errors import InvalidValuesError
from release_manager.values import load_values_file
from release_manager.values.files import MAX_FILE_BYTES

ALIAS_BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


def _write(folder: Path, content: str | bytes) -> Path:
    path = folder / "values.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_mapping_is_read(tmp_path: Path) -> None:
    assert load_values_file(_write(tmp_path, "a: {b: [1, x]}\n")) == {"a": {"b": [1, "x"]}}


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "null\n"])
def test_an_empty_file_holds_no_values(tmp_path: Path, content: str) -> None:
    assert load_values_file(_write(tmp_path, content)) == {}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("a: [1", "is not YAML, line"),
        ("a: b: c", "is not YAML, line 1"),
        ("\tx: 1", "is not YAML, line 1"),
        ("a: 1\n---\nb: 2\n", "is not YAML"),
        ("a: !!python/object/apply:os.system [ls]\n", "has a tag in line 1"),
        ("a: 1\nb: !Ref x\n", "has a tag in line 2"),
        (ALIAS_BOMB, "has an anchor or alias in line 1"),
        ("- a\n- b\n", "holds no mapping"),
        ("just text\n", "holds no mapping"),
        (b"a: \xff\xfe\n", "is not UTF-8 text"),
        ("a: \x00\n", "is not YAML"),
        ("x: " + "y" * MAX_FILE_BYTES, "is larger than"),
        ("[" * 800 + "]" * 800, "is not YAML"),
    ],
    ids=[
        "unclosed list",
        "two colons",
        "tab",
        "two documents",
        "python tag",
        "own tag",
        "alias bomb",
        "list",
        "text",
        "not UTF-8",
        "control character",
        "too large",
        "nested too deep",
    ],
)
def test_a_file_that_holds_no_plain_values_is_refused(
    tmp_path: Path, content: str | bytes, problem: str
) -> None:
    path = _write(tmp_path, content)
    with pytest.raises(InvalidValuesError) as caught:
        load_values_file(path)
    assert f"field -f: {path} {problem}" in caught.value.problem


@pytest.mark.parametrize(
    "text", ["2026-03-01", "2026-03-01T01:02:03Z", "1:30", "1.2.3", "=", ".inf"]
)
def test_what_helm_reads_as_text_is_text(tmp_path: Path, text: str) -> None:
    assert load_values_file(_write(tmp_path, f"a: {text}\n")) == {"a": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", 1), ("-7", -7), ("0755", 493), ("0x1F", 31), ("1.5", 1.5), ("~", None)],
)
def test_numbers_and_null_keep_their_types(tmp_path: Path, text: str, value: object) -> None:
    assert load_values_file(_write(tmp_path, f"a: {text}\n")) == {"a": value}


@pytest.mark.parametrize("content", ["1: x\n", "a: {1: x}\n", "a: [{b: {true: x}}]\n"])
def test_a_name_that_is_no_text_is_refused_at_any_depth(tmp_path: Path, content: str) -> None:
    with pytest.raises(InvalidValuesError, match=r"has a name that is no text"):
        load_values_file(_write(tmp_path, content))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidValuesError, match=r"nope.yaml cannot be read: No such file"):
        load_values_file(tmp_path / "nope.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValuesError, match=r"cannot be read"):
        load_values_file(tmp_path)


def test_the_error_names_the_option_that_gave_the_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidValuesError, match=r"^field --settings: "):
        load_values_file(tmp_path / "nope.yaml", field_name="--settings")


@given(content=st.binary(max_size=40) | st.text(" a:-[]{}&*!|>?'\"\n#%@", max_size=20))
def test_any_content_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: str | bytes
) -> None:
    path = _write(tmp_path_factory.getbasetemp(), content)
    try:
        assert isinstance(load_values_file(path), dict)
    except InvalidValuesError:
        return
