"""What README and docs promise: links that lead somewhere, commands and numbers that are so."""

import functools
import hashlib
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from ffr.circulation.patient import PLAUSIBLE, Patient, patient_from
from ffr.cli import app
from ffr.cli.checks import STAGES
from ffr.segmentation.networks import LumenNet, build
from ffr.segmentation.recipes import RECIPES
from ffr.segmentation.stacks import CHANNELS
from ffr.segmentation.weights import NETWORKS, weights_path
from validation.__main__ import scripts

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
README = (ROOT / "README.md").read_text()
CARD = (ROOT / "docs" / "model-card.md").read_text()
VERBS = typer.main.get_command(app).commands
UNFILLED = "(to be filled"


@functools.cache
def known_scripts():
    return scripts()


def name_of(page):
    return page.name


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_that_are_there(page):
    for target in re.findall(r"!?\[[^\]]*\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http:", "https:", "#")):
            continue
        if target == "docs/img/report.png" and UNFILLED in README:
            continue  # made together with the numbers
        assert (page.parent / target.partition("#")[0]).is_file(), f"{page.name}: {target}"


def commands(page):
    """Every `ffr VERB ...` in code, split into words; continued lines are joined."""
    text = page.read_text().replace("\\\n", " ")
    quoted = re.findall(r"`([^`\n]+)`", text)
    blocks = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    for line in (*quoted, *blocks):
        line = line.partition(" #")[0].removeprefix(".venv/bin/")
        if line.startswith("ffr "):
            yield shlex.split(line)[1:]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_verbs_and_flags_that_are_quoted_exist(page):
    for words in commands(page):
        verb = words[0]
        if verb in ("VERB", "--help"):
            continue
        assert verb in VERBS, f"{page.name}: ffr {verb}"
        flags = {flag for p in VERBS[verb].params for flag in (*p.opts, *p.secondary_opts)}
        for word in words[1:]:
            if word.startswith("--") and word != "--help":
                assert word.partition("=")[0] in flags, f"{page.name}: ffr {verb} {word}"
        if "--from" in words and words[words.index("--from") + 1] != "STAGE":
            assert words[words.index("--from") + 1] in STAGES


def test_the_readme_quotes_commands_at_all():
    assert {words[0] for words in commands(ROOT / "README.md")} >= {"run", "solve", "doctor"}


def test_every_verb_has_its_line_in_the_page_on_the_command_line():
    table = (ROOT / "docs" / "cli.md").read_text()
    for verb in VERBS:
        assert f"| `ffr {verb}" in table, verb


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_scripts_and_make_targets_that_are_quoted_exist(page):
    text = page.read_text()
    for name in re.findall(r"python -m validation[. ](\w+)", text):
        assert name in known_scripts() or name == "NAME", f"{page.name}: {name}"
    targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for name in re.findall(r"(?:`|^    )make (\w+)", text, re.MULTILINE):
        assert name in targets, f"{page.name}: make {name}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pages_name_no_place_of_the_machine_they_were_written_on(page):
    places = re.findall(
        r"(?<![\w.])/(?:work|root|home|tmp|opt|mnt|Users)\b\S*", page.read_text()
    )
    assert places == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_page_says_research_use_only(page):
    assert "research use only" in page.read_text().lower()


def test_the_readme_says_what_this_is_not():
    assert "Research use only. Not a medical device. Not for diagnosis." in README
    assert README.index("Research use only") < README.index("make demo")


def test_the_page_on_patient_values_holds_every_key_with_its_range():
    page = (ROOT / "docs" / "patient.md").read_text()
    rows = {line.split(" | ")[0]: line for line in page.splitlines() if line.startswith("| `")}
    for key in Patient.model_fields:
        (row,) = [line for start, line in rows.items() if f"`{key}`" in start]
        if key in PLAUSIBLE:
            low, high = PLAUSIBLE[key]
            assert f"{low:g}-{high:g}" in row


@pytest.mark.parametrize("page", ["patient.md", "solve.md"])
def test_the_patient_file_that_is_shown_is_accepted(page):
    lines = (ROOT / "docs" / page).read_text().splitlines()
    shown = [line for line in lines if line.startswith("    ") and " = " in line]
    patient = patient_from(tomllib.loads("\n".join(x.strip() for x in shown)), page)
    if page == "patient.md":
        assert None not in patient.model_dump().values()


def card_row(name):
    (row,) = [line for line in CARD.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in row.strip("|").split("|")][1:]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ("optimiser steps", "steps"),
        ("samples per step", "batch"),
        ("first patient seed", "seed"),
        ("peak learning rate (AdamW)", "learning_rate"),
    ],
)
def test_the_model_card_tells_the_recipes(row, field):
    last = [cell.rpartition("then ")[2] for cell in card_row(row)]  # of several parts
    assert last == [str(getattr(RECIPES[name], field)) for name in NETWORKS]


@pytest.mark.parametrize("number", range(3))
def test_the_model_card_names_the_weights_that_are_shipped(number):
    written = card_row("SHA-256")[number].strip("`")
    path = weights_path(NETWORKS[number])
    if UNFILLED in written and not path.exists():
        pytest.skip("no weights yet")
    if UNFILLED in written:
        pytest.skip("the card waits for the final weights")
    assert len(written) >= 16
    assert hashlib.sha256(path.read_bytes()).hexdigest().startswith(written)


def test_the_locks_hold_what_the_project_asks_for_and_nothing_heavy():
    locked = {}
    for name in ("requirements.lock", "requirements-torch.lock"):
        for line in (ROOT / name).read_text().splitlines():
            package, _, version = line.partition("==")
            assert re.fullmatch(r"[\d.]+", version), line
            locked[re.sub(r"[-_.]+", "-", package).lower()] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    assert {package.lower() for package in asked} <= set(locked)
    heavy = {p for p in locked if p.startswith(("nvidia", "cuda", "triton", "torchvision"))}
    assert heavy == set()


def test_python_is_found_under_another_name(tmp_path):
    (tmp_path / "Makefile").write_text(
        (ROOT / "Makefile").read_text() + '\nwhich:\n\t@echo "[$(PYTHON)]"\n'
    )
    fake = tmp_path / "bin"
    fake.mkdir()
    for name, code in (("python3.11", 1), ("python3", 0)):  # one that does not work
        (fake / name).write_text(f"#!/bin/sh\nexit {code}\n")
        (fake / name).chmod(0o755)
    for extra, expected in (((), "[python3]"), (("PYTHON=other",), "[other]")):
        done = subprocess.run(
            ["make", "--silent", "which", *extra], cwd=tmp_path, capture_output=True, text=True,
            env={"PATH": f"{fake}:/usr/bin:/bin"},
        )  # fmt: skip
        assert done.stdout.strip() == expected


def test_the_model_card_counts_the_parameters():
    models = [build("anatomy"), build("vessel"), LumenNet(CHANNELS)]
    counts = [sum(p.numel() for p in model.parameters()) for model in models]
    assert [int(cell.replace(" ", "")) for cell in card_row("parameters")] == counts


def test_every_test_that_the_threat_model_names_is_there():
    text = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/\w+\.py)::(\w+)`", text)
    assert len(named) > 20
    missing = [n for path, n in named if f"def {n}(" not in (ROOT / path).read_text()]
    assert missing == []
