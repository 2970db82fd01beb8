"""A newcomer's mistakes: one clear line, exit code 2, and no name of a patient in it."""

import os
import subprocess
import sys

import pytest
from command_line import MAIN, SECRET, refused


@pytest.fixture
def place(tmp_path):
    """A folder that is called after the patient, with files that are called so too."""
    folder = tmp_path / SECRET
    folder.mkdir()
    for suffix, text in (
        (".toml", f"[{SECRET}]\nsex = 'male'\n"),
        (".json", "{"),
        (".vtp", "<VTKFile type='PolyData'>"),
        (".swc", f"{SECRET} has vessels\n"),
        (".nii.gz", "no volume"),
        (".zip", "PK\x03\x04 no zip"),
        (".txt", f"a letter to {SECRET}\n"),
    ):
        (folder / f"{SECRET}{suffix}").write_text(text)
    (folder / "good.swc").write_text("1 0 0 0 0 1 -1\n2 0 0 0 9 1 1\n")
    (folder / f"empty {SECRET}").mkdir()
    return folder


WRONG = {  # {0}: the folder, {1}: the name
    "run": (
        "{0} --out new", "{0}/none --out new", "{0}/{1}.txt --out new", "{0}/{1}.zip --out new",
        "{0}/{1}.nii.gz --out new", "{0}/{1}.txt --out {0}", "{0} --out {0}/{1}.txt",
        "{0} --out new --patient {0}/{1}.toml", "{0} --out new --patient {0}/none.toml",
        "{0} --out new --patient {0}", "{0} --out {0}/{1}.txt/below", "{0} --out /proc/{1}",
        "{0} --out /sys/{1}",
    ),
    "segment": ("{0} --out new", "{0}/none --out new", "{0} --out {0}"),
    "tree": ("{0}", "{0}/none", "{0}/{1}.txt"),
    "solve": (
        "{0}", "{0}/none", "{0}/none.vtp", "{0}/{1}.txt", "{0}/{1}.vtp", "{0}/{1}.swc",
        "{0}/x.{1}", "{0}/good.swc --patient {0}/{1}.toml",
        "{0}/good.swc --outlet-flows {0}/{1}.json", "{0}/good.swc --json {0}/none/{1}.json",
    ),
    "report": ("{0}", "{0}/none", "{0}/{1}.txt"),
    "export": ("{0} {1}.ply", "{0}/none {0}/{1}.{1}"),
    "phantom": ("--out {0}", "--out {0}/{1}.txt"),
    "demo": ("--out {0}", "--out {0}/{1}.txt"),
}  # fmt: skip


@pytest.mark.parametrize("verb", WRONG)
def test_wrong_input_is_refused_without_the_name_that_its_path_holds(tmp_path, place, verb):
    before = sorted(place.rglob("*"))
    for line in WRONG[verb]:
        words = [word.format(place, SECRET) for word in line.split()]
        refused(verb, *words, folder=tmp_path)  # looks for the name
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "a verb is missing, as in 'ffr run STUDY --out OUT'; see 'ffr --help'"),
        ("fly", "no such verb; see 'ffr --help'"),
        ("{0}/{1}.zip", "no such verb; see"),
        ("rum {0} --out new", "no such verb; did you mean 'run'?; see"),
        ("run", "missing argument 'study'; see 'ffr run --help'"),
        ("run {0}", "missing option '--out'; see"),
        ("run {0} --out", "option '--out' requires an argument"),
        ("run Xaverina {1} --out new", "too many words; a path with blanks needs quotes"),
        ("run {0} --out new --bogus", "no such option: --bogus"),
        ("run {0} --out new --systolic-mmhg high", "invalid value for '--systolic-mmhg'"),
        ("solve", "missing argument 'file'"),
        ("export {0}", "missing argument 'file'"),
        ("phantom --out new --burden nan", "invalid value for '--burden'"),
        ("phantom --out new --seed -4", "invalid value for '--seed'"),
        ("train vessel --steps 0", "invalid value for '--steps'"),
        ("train heart", "no network 'heart'; choose one of"),
        ("train vessel --runs {0}/{1}.txt", "--runs is a file; give a folder"),
        ("solve none", "the path does not exist; give a .vtp or .swc file, or a run"),
    ],
)
def test_words_that_make_no_sense_are_one_line(tmp_path, place, line, message):
    words = [word.format(place, SECRET) for word in line.split()]
    assert refused(*words, folder=tmp_path).startswith(f"ffr: {message}")
    assert [p.name for p in tmp_path.iterdir()] == [SECRET]


@pytest.mark.skipif(
    not os.path.isdir("/sys/kernel"), reason="no folder that nobody can write to"
)
def test_a_place_for_results_that_cannot_be_written_to_is_told(place):
    assert "no result folder can be made there" in refused("run", place, "--out", "/sys/new")


def test_a_folder_that_is_called_like_a_word_of_the_message_does_not_hide_it(tmp_path):
    (tmp_path / "empty").mkdir()
    message = refused("run", "empty", "--out", "new", folder=tmp_path)
    assert message.startswith("ffr: empty: no readable image here")


def test_help_onto_a_full_disk_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", MAIN, "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("ffr: no space left on the disk")
    assert done.stderr.count("\n") == 1
