"""The cohort table: every problem named at once, no identity repeated, schema published."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest
from cohort_folders import row, write_table

from ffr.errors import ConfigError
from validation.cohort.groups import groups_of
from validation.cohort.identity import column_kind, shown, value_kind
from validation.cohort.schema import COLUMNS, Row, column_table, schema_text
from validation.cohort.table import TableError, check_sources, read_table

DOCS = Path(__file__).parent.parent / "docs"
SECRET = "Wurzelbrunft"


def problems(path, text):
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TableError) as refused:
        read_table(path)
    told = refused.value.problems
    assert not any(SECRET.lower() in x.lower() for x in (*told, str(refused.value)))
    return told


def one(tmp_path, **changes):
    """The problem of a table with one wrong value."""
    with pytest.raises(TableError) as refused:
        read_table(write_table(tmp_path / "t.csv", [row(1) | changes]))
    (problem,) = refused.value.problems
    return problem


def test_a_right_table_is_read_with_what_is_left_out_filled_in(tmp_path):
    path = write_table(
        tmp_path / "t.csv",
        [row(1, invasive=0.81, cac=410, group_centre="north"), row(2, "LCX", "")
         | {"exclude": "yes", "exclude_reason": "graft"}],
    )  # fmt: skip
    first, second = read_table(path)
    assert (first.number, first.row.invasive_ffr, first.row.cac) == (2, 0.81, 410)
    assert (first.row.sensor_from, first.row.exclude) == ("lesion", "no")
    assert first.row.groups == {"group_centre": "north"}
    assert (second.row.vessel, second.row.exclusion) == ("LCx", "graft")


def test_semicolons_and_a_byte_order_mark_of_a_spreadsheet_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(
        b"\xef\xbb\xbfcase_id;patient_id;vessel;invasive_ffr\r\nC1;P1;rca;0.9\r\n;;;\r\n"
    )
    (line,) = read_table(path)
    assert (line.row.vessel, line.row.invasive_ffr) == ("RCA", 0.9)


def test_all_problems_are_named_at_once_with_line_column_value_and_remedy(tmp_path):
    told = problems(
        tmp_path / "t.csv",
        "case_id,patient_id,vessel,invasive_ffr,cac,sex\n"
        "C1,P1,LAD,8.2,5,female\n"
        'C2,P2,LADD,"0,78",-3,male\n'
        "C3,P3,RCA,,5,\n"
        "C4,P4,LAD,0.9\n"
        "C5,P5,LAD,0.9,1,\n"
        "C5,P6,LAD,0.8,1,\n",
    )
    assert told == (
        "line 2, column invasive_ffr, value '8.2': give a number, 0.1 to 1.1, such as 0.82",
        "line 3, column vessel, value 'LADD': no such vessel; did you mean LAD?",
        "line 3, column invasive_ffr, value '0,78': give a number, 0.1 to 1.1, such as 0.82; "
        "write the decimal point as '.'",
        "line 3, column cac, value '-3': give a number, 0 to 10000",
        "line 4, column invasive_ffr: is empty; give it, or exclude the row with a reason",
        "line 5: 4 cells, the header has 6; mend it",
        "line 7, column vessel: LAD of C5 stands in line 6 already; keep one row per vessel",
        "line 7, column patient_id: differs from line 6 of the same case; make both equal",
    )


@pytest.mark.parametrize(
    ("header", "kind"),
    [
        ("PatientName", "a name"), ("Vorname", "a name"), ("last_name", "a name"),
        ("date of birth", "a birth date"), ("DOB", "a birth date"),
        ("Geburtsdatum", "a birth date"), ("MRN", "a hospital or insurance number"),
        ("hospital_no", "a hospital or insurance number"),
        ("accessionNumber", "a hospital or insurance number"), ("age", "an exact age"),
        ("ct_date", "an exact date"), ("group_name", "a name"),
    ],
)  # fmt: skip
def test_columns_that_look_like_an_identity_are_refused_without_their_values(
    tmp_path, header, kind
):
    assert column_kind(header) == kind
    told = problems(
        tmp_path / "t.csv",
        f"case_id,patient_id,vessel,invasive_ffr,{header}\nC1,P1,LAD,0.8,{SECRET}\n",
    )
    assert told == (f"line 1, column 5: looks like {kind}; remove it, and use pseudonyms",)


def test_every_published_column_is_taken(tmp_path):
    (line,) = read_table(write_table(tmp_path / "t.csv", [dict.fromkeys(COLUMNS) | row(1)]))
    assert line.row.age_band is None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1956-03-01", "a date"), ("01.03.1956", "a date"), ("19560301", "a date"),
        (f"{SECRET}^X", "a name"), (f"{SECRET}, Xaver", "a name"),
        ("4711081", "a hospital number"), ("x@y.org", "an address"),
    ],
)  # fmt: skip
def test_values_that_look_like_an_identity_are_refused_unshown(tmp_path, value, kind):
    assert value_kind(value) == kind
    for column in ("patient_id", "site", "group_centre"):
        told = one(tmp_path, **{column: value})
        assert told == (
            f"line 2, column {column}, value not shown: looks like {kind}; use a pseudonym"
        )


def test_a_pseudonym_without_a_digit_may_be_a_name(tmp_path):
    assert one(tmp_path, patient_id=SECRET) == (
        "line 2, column patient_id, value not shown: give a pseudonym of letters and at least "
        "one digit, such as P017"
    )


def test_a_name_in_a_column_of_numbers_is_not_repeated(tmp_path):
    assert "value not shown" in one(tmp_path, invasive_ffr=SECRET)
    assert "value not shown" in one(tmp_path, vessel=SECRET)
    assert shown("8.2") == "value '8.2'"


def test_a_file_without_a_header_repeats_nothing_of_its_first_line(tmp_path):
    told = problems(tmp_path / "t.csv", f"{SECRET},Xaver,LAD\n{SECRET},Xaver,LAD\n")
    assert told[0].startswith("line 1: no column of a cohort table")


def test_a_mistyped_or_missing_column_is_named(tmp_path):
    told = problems(tmp_path / "t.csv", "case_id,patient_id,vessle,invasive_ffr\nC1,P1,LAD,1\n")
    assert told == (
        "line 1, column 3: not known; did you mean 'vessel'?",
        "line 1: column 'vessel' is missing; add it",
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"exclude": "yes"}, "column exclude_reason: is empty"),
        ({"adenosine": "none"}, "column adenosine: is 'none': that is no FFR; name the hyper"),
        ({"systolic_mmhg": 120}, "column systolic_mmhg: goes with diastolic_mmhg"),
        ({"systolic_mmhg": 80, "diastolic_mmhg": 90}, "column diastolic_mmhg: is not below"),
        ({"age_band": "63"}, "column age_band, value '63': give a range"),
        ({"lesion_calcium": "much"}, "give none, spotty or arc>180"),
        ({"segment_scct": 19}, "give a whole number, 1 to 18"),
        ({"invasive_ffr": "nan"}, "give a number, 0.1 to 1.1"),
    ],
)
def test_values_that_make_no_sense_are_refused(tmp_path, changes, problem):
    assert problem in one(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"invasive_index": "iFR"}, "invasive index is iFR"),
        ({"drift_ok": "no"}, "pressure drift"),
        ({"exclude": "yes", "exclude_reason": "graft"}, "graft"),
    ],
)
def test_rows_without_a_right_invasive_ffr_take_no_part(tmp_path, changes, why):
    (line,) = read_table(write_table(tmp_path / "t.csv", [row(1) | changes]))
    assert line.row.exclusion == why


def test_a_case_needs_a_finished_run_or_a_study_and_paths_are_not_repeated(tmp_path):
    rows = [row(1), row(2, image_path=f"{SECRET}/ct"), row(3, image_path="t.csv"), row(4)]
    lines = read_table(write_table(tmp_path / "t.csv", rows))
    with pytest.raises(TableError) as refused:
        check_sources(lines, tmp_path, lambda case: case == "C004")
    told = refused.value.problems
    assert [x.split(":")[0] for x in told] == [
        "line 2, column image_path",
        "line 3, column image_path, value not shown",
    ]
    assert SECRET not in "".join(told)


@pytest.mark.parametrize("content", [b"", b"case_id,patient_id\n", b"\xff\xfe\x00"])
def test_a_file_that_is_no_table_is_one_line(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cohort table: "):
        read_table(path)


def test_groups_follow_from_the_columns_that_are_filled_in():
    known = Row(
        case_id="C1", patient_id="P1", vessel="D1", invasive_ffr=0.8, hr_bpm=66, cac=400,
        cta_percent_stenosis=30, ct_date_offset_days=-91, groups={"group_centre": "x"},
    )  # fmt: skip
    assert groups_of(known) == (
        ("vessel", "side branches"), ("heart rate", "above 65 /min"),
        ("calcium score", "101-400"), ("stenosis as graded", "30-69 %"),
        ("CT to invasive", "above 90 days"), ("centre", "x"),
    )  # fmt: skip


def test_the_published_schema_and_column_list_are_those_of_the_code():
    assert (DOCS / "cohort.schema.json").read_text() == schema_text()
    assert column_table() in (DOCS / "cohort.md").read_text()


def test_the_published_schema_takes_a_row_that_is_right_and_no_other():
    check = jsonschema.Draft202012Validator(json.loads(schema_text()))
    right = {"case_id": "C1", "patient_id": "P1", "vessel": "LAD", "invasive_ffr": 0.8}
    assert check.is_valid(right)
    assert not check.is_valid(right | {"invasive_ffr": 8})
    assert not check.is_valid(right | {"name": "x"})
    assert check.is_valid(right | {"group_x": "y"})


def test_what_the_statistics_need_is_asked_for_and_locked():
    project = tomllib.loads((DOCS.parent / "pyproject.toml").read_text())["project"]
    peers = {"svzerod==3.2", "scikit-fem==12.0.2"}  # stand beside our solvers, not installed
    asked = set(project["optional-dependencies"]["validation"]) - peers
    assert asked == {"scikit-learn", "statsmodels", "pingouin", "pandas", "fpdf2"}
    lock = (DOCS.parent / "requirements.lock").read_text().splitlines()
    assert asked <= {line.partition("==")[0] for line in lock}


def test_the_example_in_the_docs_is_a_right_table(tmp_path):
    lines = (DOCS / "cohort.md").read_text().splitlines()
    shown_lines = [x.strip() for x in lines if x.startswith("    ") and "," in x]
    start = next(k for k, x in enumerate(shown_lines) if x.startswith("case_id,"))
    (tmp_path / "t.csv").write_text("\n".join(shown_lines[start : start + 6]) + "\n")
    read = read_table(tmp_path / "t.csv")
    assert len(read) == 5
    assert any(not x.row.compared for x in read)
