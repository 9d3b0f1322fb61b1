"""Who may use a picture: tables, lines of text, and what is unknown."""

import pytest

from lianpu.data import rights
from lianpu.errors import DataError, UsageError


def test_the_exact_line_goes_before_the_pattern_and_the_early_before_the_late():
    table = rights.parse(
        "file,source,licence\n*,museum,CC-BY-4.0\nred*,atelier,CC0-1.0\n红 脸.png,archive,PDM\nsub/a.png,b,MIT\n".encode(),
        "here",
    )
    assert table.of("any/where.png") == rights.Right("museum", "CC-BY-4.0")
    assert table.of("red1.png").source == "museum"  # the earlier pattern covers it
    assert table.of("红 脸.png").licence == table.of("x/红 脸.png").licence == "PDM"
    assert table.of("sub/a.png").licence == "MIT"


def test_brackets_in_a_name_are_a_name():
    assert rights.parse(b"file,source,licence\na[1].png,s,l\n", "").of("a[1].png").known


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "gbk"])
def test_tables_as_excel_saves_them(codec):
    assert rights.parse("File, Source ,LICENSE\n*,故宫,公有领域\n".encode(codec), "").of("a").source == "故宫"


def test_a_table_without_its_columns_says_which():
    for text in (b"", b"name,origin\na,b\n", b"file,source\na,b\n"):
        with pytest.raises(DataError, match="lacks a column"):
            rights.parse(text, "")


@pytest.mark.parametrize("row", ["a.png,,CC0-1.0", "a.png,museum,", "a.png,museum,Unknown", "b.png,museum,CC0-1.0"])
def test_what_is_left_open_is_unknown(row):
    assert not rights.parse(f"file,source,licence\n{row}\n".encode(), "").of("a.png").known


def test_the_option_is_a_table_or_two_words(tmp_path):
    (tmp_path / "r.csv").write_text("file,source,licence\n*,s,MIT\n")
    assert rights.from_option(tmp_path / "r.csv").of("x").licence == "MIT"
    assert rights.from_option("CC-BY-4.0; Museum; Beijing").of("x") == rights.Right("Museum; Beijing", "CC-BY-4.0")
    for wrong in ("CC-BY-4.0", "; museum", "MIT;"):
        with pytest.raises(UsageError, match="neither a file"):
            rights.from_option(wrong)


def test_a_table_that_is_not_there_is_said(tmp_path):
    with pytest.raises(UsageError, match=r"no table right\.csv"):
        rights.from_option(tmp_path / "right.csv")


def test_one_unknown_makes_the_summary_unknown():
    known = {"licence": "MIT", "rights_source": "me"}
    assert rights.summary([known, known]) == {"status": "known", "licences": {"MIT": 2}, "sources": ["me"]}
    assert rights.summary([known, {"licence": "unknown", "rights_source": ""}])["status"] == "unknown"


@pytest.mark.parametrize("word", ["未知", "none", "N/A", "none stated: research use only", "-"])
def test_words_that_say_nothing_are_unknown(word):
    assert not rights.Right("museum", word).known
    assert not rights.Right(word, "CC0-1.0").known


def test_an_unquoted_comma_is_an_error_not_another_licence():
    with pytest.raises(DataError, match=r"Row 3 (.|\n)*4 fields instead of 3(.|\n)*quotes"):
        rights.parse(b"file,source,licence\na,b,MIT\n*,Museum, Beijing,CC0-1.0\n", "")


@pytest.mark.parametrize(
    "table",
    [
        b"file;source;licence\n*;museum, Beijing;CC0-1.0\n",
        "file\tsource\tlicence\n*\tmuseum, Beijing\tCC0-1.0\n".encode("utf-16"),
        '文件,来源,许可\n*,"museum, Beijing",CC0-1.0\n'.encode("gbk"),
    ],
)
def test_tables_of_other_spreadsheets(table):
    assert rights.parse(table, "").of("x.png") == rights.Right("museum, Beijing", "CC0-1.0")


def test_a_name_is_the_same_however_its_accents_are_stored():
    table = rights.parse("file,source,licence\nm\u00e9.png,s,MIT\n".encode(), "")
    assert table.of("me\u0301.png").known


def test_a_header_alone_covers_nothing():
    assert rights.parse(b"file,source,licence\n", "").of("a").known is False
