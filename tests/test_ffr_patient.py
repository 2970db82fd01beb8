"""The patient file: what is read, and what is refused with a helpful line."""

import pytest

from ffr.circulation.patient import Patient, load_patient, patient_from
from ffr.errors import ConfigError


def write(tmp_path, text):
    path = tmp_path / "patient.toml"
    path.write_text(text)
    return path


def test_a_full_file_is_read(tmp_path):
    text = (
        "systolic_mmhg = 130\ndiastolic_mmhg = 82.5\nheart_rate_bpm = 62\n"
        'lv_mass_g = 140\nhaematocrit = 0.41\nsex = "female"\n'
    )
    assert load_patient(write(tmp_path, text)) == Patient(
        systolic_mmhg=130.0,
        diastolic_mmhg=82.5,
        heart_rate_bpm=62.0,
        lv_mass_g=140.0,
        haematocrit=0.41,
        sex="female",
    )


def test_an_empty_file_knows_nothing(tmp_path):
    assert load_patient(write(tmp_path, "")) == Patient()
    assert set(Patient().model_dump().values()) == {None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("systolic = 120", "no setting 'systolic'; did you mean 'systolic_mmhg'"),
        ("xyzzy = 1", "entry 1 is no setting; known are systolic_mmhg"),
        (
            'systolic_mmhg = "120"\ndiastolic_mmhg = 80',
            "systolic_mmhg is '120', must be a number",
        ),
        ("lv_mass_g = true", "lv_mass_g is True, must be a number from 30 to 600"),
        (
            "haematocrit = 45",
            "haematocrit is 45, must be a number from 0.15 to 0.7, a fraction",
        ),
        ("heart_rate_bpm = nan", "heart_rate_bpm is nan"),
        ("lv_mass_g = 5", "from 30 to 600"),
        ('sex = "m"', "sex is 'm', must be 'female' or 'male'"),
        ("systolic_mmhg = 120", "give both"),
        ("systolic_mmhg = 80\ndiastolic_mmhg = 90", "must be below systolic_mmhg 80"),
        ("systolic_mmhg = ", "is not TOML"),
        ("[patient]\nsex = 'male'", "entry 1 is no setting"),
    ],
)
def test_wrong_settings_are_refused_in_one_line_with_the_remedy(tmp_path, text, words):
    with pytest.raises(ConfigError) as caught:
        load_patient(write(tmp_path, text))
    assert words in str(caught.value)
    assert str(caught.value).startswith("the patient file")
    assert "\n" not in str(caught.value)


def test_every_wrong_setting_is_named_at_once():
    with pytest.raises(ConfigError, match=r"lv_mass_g.*; .*haematocrit"):
        patient_from({"lv_mass_g": 1.0, "haematocrit": 3.0}, "command line")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "patient.toml"
    path.write_bytes(b"\xff\xfe\x00sex")
    with pytest.raises(ConfigError, match="is not TOML"):
        load_patient(path)


def test_a_patient_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Patient().sex = "male"
