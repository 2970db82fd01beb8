"""Does a column or a value look like what identifies a patient? Such a table is refused.

Values that look so are never repeated in a message.
"""

from __future__ import annotations

import re

# whole words of a column name, in the languages of the centres we expect first
_KINDS = {
    "a name": (
        "name surname lastname firstname forename familyname givenname patientname vorname "
        "nachname nom prenom apellido nombre initials initialen"
    ),
    "a birth date": (
        "birth birthdate birthday dob dateofbirth geburtsdatum geburtstag gebdat naissance "
        "nacimiento geboren"
    ),
    "a hospital or insurance number": (
        "mrn hospitalnumber hospitalno hospitalid hospno hospid "
        "patientnumber patientno recordnumber nhs "
        "nhsnumber ssn insurance accession accessionnumber fallnummer patnr patientennummer "
        "versichertennummer socialsecurity pid chart chartnumber"
    ),
    "an address or a way to reach somebody": (
        "address street city zip zipcode postcode plz phone telephone mobile email mail"
    ),
    "an exact date": "date datum scandate studydate ctdate angiodate admission discharge",
    "an exact age": "age alter",
}  # fmt: skip
_WORDS = {word: kind for kind, words in _KINDS.items() for word in words.split()}
_DATE = re.compile(r"\d{4}\s?[-/.]\s?\d{1,2}\s?[-/.]\s?\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}")
_DATE_DIGITS = re.compile(r"(?<!\d)(19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?!\d)")
_LONG_NUMBER = re.compile(r"\d{6,}")
_FULL_NAME = re.compile(r"\w+\^\w+|[^\W\d_]{2,},\s*[^\W\d_]{2,}")
_SHOWABLE = re.compile(r"[-+]?[0-9][0-9.,eE%+-]{0,11}|[A-Za-z]{1,4}[0-9]{0,2}")


def column_kind(header: str) -> str | None:
    """Return what an unknown column seems to hold, such as "a birth date"; None: nothing."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", header).lower())
    for n in (3, 2, 1):
        for i in range(len(words) - n + 1):
            kind = _WORDS.get("".join(words[i : i + n]))
            if kind:
                return kind
    return None


def value_kind(text: str) -> str | None:
    """Return what a free text seems to hold, such as "a date"; None: nothing known."""
    if _DATE.search(text) or _DATE_DIGITS.search(text):
        return "a date"
    if _FULL_NAME.search(text):
        return "a name"
    if _LONG_NUMBER.search(text):
        return "a hospital number"
    if "@" in text:
        return "an address"
    return None


def shown(text: str) -> str:
    """Return a wrong value for a message, or that it is not shown: it may be a name."""
    if value_kind(text) is None and _SHOWABLE.fullmatch(text):
        return f"value {text!r}"
    return "value not shown"
