"""Does an archive keep the DICOM objects as they are? A real Orthanc, in a network of its own.

Run: python -m validation orthanc OBJECTS [--study STUDY]

OBJECTS is the folder that `ffr dicom` wrote. They are sent by C-STORE, and again by STOW-RS,
fetched back and compared, each time with an empty archive. With --study the whole service is
tried: dcmtk's storescu sends the study to `ffr serve`, which analyses it and sends its results
to Orthanc. Needs the Debian packages orthanc, orthanc-dicomweb and dcmtk, and root: Orthanc
listens at every address of the machine, so it gets a network of its own (unshare -n).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pydicom
import requests
from pydicom.dataset import Dataset

from ffr.serve.destination import Sender, destination

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
LOGIN = ("ffr", "trial")
WEB, CALLED = 8042, "ORTHANC@127.0.0.1:4242"
PORT, STATUS = 11112, 11180
FFR = (sys.executable, "-c", "from ffr.cli import main; main()")
INSIDE = "CT_FFR_ORTHANC_ALONE"  # set in the network of its own
LONGEST_S = 1800.0


def missing() -> str:
    """Return why Orthanc cannot be tried here; "" if it can."""
    for program in ("Orthanc", "storescu", "ip", "unshare"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    if not PLUGIN.exists():
        return "the package orthanc-dicomweb is not installed"
    if subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode:
        return "no network of one's own can be made (unshare -n needs root)"
    return ""


@contextlib.contextmanager
def orthanc(folder: Path) -> Iterator[None]:
    """Run an empty Orthanc; the network must be our own."""
    folder.mkdir()
    settings = {
        "StorageDirectory": str(folder), "IndexDirectory": str(folder), "HttpPort": WEB,
        "DicomPort": 4242, "DicomAet": "ORTHANC", "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True, "RegisteredUsers": dict([LOGIN]),
        "OverwriteInstances": True, "DicomAlwaysAllowStore": True,
        "Plugins": [str(PLUGIN)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    with (folder / "log").open("wb") as log:
        words = ["Orthanc", str(folder / "settings.json")]
        process = subprocess.Popen(words, stdout=log, stderr=log)
    try:
        _wait(lambda: asked("system") is not None, 30.0)
        yield
    finally:
        process.terminate()
        process.wait()


def asked(path: str) -> requests.Response | None:
    """Return what Orthanc answers, None if nothing."""
    try:
        answer = requests.get(f"http://127.0.0.1:{WEB}/{path}", auth=LOGIN, timeout=30)
    except requests.ConnectionError:
        return None
    return answer if answer.ok else None


def held() -> dict[str, Dataset]:
    """Return all objects that Orthanc holds, by UID."""
    listed = asked("instances")
    found: dict[str, Dataset] = {}
    for name in [] if listed is None else listed.json():
        file = asked(f"instances/{name}/file")
        if file is not None:
            dataset = pydicom.dcmread(io.BytesIO(file.content))
            found[str(dataset.SOPInstanceUID)] = dataset
    return found


def compared(files: Sequence[Path]) -> list[str]:
    """Return a line per object: whether Orthanc holds it just as it was sent."""
    archive, lines = held(), []
    for file in files:
        ours = pydicom.dcmread(file)
        theirs = archive.pop(str(ours.SOPInstanceUID), None)
        lines.append(f"{file.name}: {_verdict(ours, theirs)}")
    return [*lines, *(f"unknown object {d.SOPClassUID.name}" for d in archive.values())]


def _verdict(ours: Dataset, theirs: Dataset | None) -> str:
    if theirs is None:
        return "MISSING"
    if ours != theirs:  # every element, pixels and PDF among them
        names = [e.keyword for e in ours if e.tag not in theirs or theirs[e.tag] != e]
        return f"DIFFERS in {', '.join(names) or 'what was added'}"
    for keyword in ("PixelData", "EncapsulatedDocument", "ContentSequence"):
        if keyword in ours:
            value = ours[keyword].value
            size = f"{len(value)} {'items' if keyword == 'ContentSequence' else 'bytes'}"
            return f"equal ({ours.SOPClassUID.name}, {keyword}: {size})"
    return f"equal ({ours.SOPClassUID.name})"


def sent(address: str, files: Sequence[Path], login: Path | None) -> list[str]:
    """Send files to an empty Orthanc twice, and compare."""
    with tempfile.TemporaryDirectory() as folder, orthanc(Path(folder) / "db"):
        node = destination(address, Sender("CT-FFR", login=login))
        for _ in range(2):  # the second time nothing may change
            node.send(files, lambda _: None)
        return compared(files)


def served(study: Path, login: Path) -> list[str]:
    """Send a study to the service with storescu; compare its results in Orthanc."""
    with tempfile.TemporaryDirectory() as name, orthanc(Path(name) / "db"):
        out = Path(name) / "out"
        words = ["serve", "--out", out, "--settle-s", "5", "--allow-aet", "STORESCU"]
        words += ["--send-to", CALLED, "--min-free-gb", "1"]
        service = subprocess.Popen([*FFR, *map(str, words)])
        try:
            _wait(lambda: _health() is not None, 60.0)
            began = time.monotonic()
            scu = ["storescu", "-aec", "CT-FFR", "+sd", "127.0.0.1", str(PORT), str(study)]
            subprocess.run(scu, check=True)
            print(f"storescu: {time.monotonic() - began:.1f} s")
            _wait(lambda: (_health() or {}).get("done", 0) + _failed() > 0, LONGEST_S)
            print(f"results in Orthanc after {time.monotonic() - began:.1f} s")
            objects = sorted((out / "runs" / "cases" / "0001" / "dicom").glob("*.dcm"))
            return compared(objects) if objects else ["no objects: MISSING"]
        finally:
            service.send_signal(signal.SIGTERM)
            print(f"ffr serve ended with {service.wait()}")


def _failed() -> int:
    return int((_health() or {}).get("failed", 0))


def _health() -> dict[str, int] | None:
    try:
        found = requests.get(f"http://127.0.0.1:{STATUS}/health", timeout=10).json()
    except requests.ConnectionError:
        return None
    return dict(found)


def _wait(what: Callable[[], object], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > until:
            raise TimeoutError("waited in vain")
        time.sleep(0.2)


def trial(objects: Path, study: Path | None) -> int:
    """Print what Orthanc made of the objects; 1 if anything is not equal."""
    files = sorted(objects.glob("*.dcm"))
    with tempfile.TemporaryDirectory() as name:
        login = Path(name) / "login"
        login.write_text(":".join(LOGIN))
        found = {
            "C-STORE": sent(CALLED, files, None),
            "STOW-RS": sent(f"http://127.0.0.1:{WEB}/dicom-web", files, login),
        }
        if study is not None:
            found["ffr serve"] = served(study, login)
    for way, lines in found.items():
        print(f"{way}:", *lines, sep="\n  ")
    whole = all(": equal" in line for lines in found.values() for line in lines)
    print(f"{'all equal' if whole and files else 'NOT equal'}. Research use only.")
    return 0 if whole and files else 1


def main() -> int:
    """Go into a network of its own, and try."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("objects", type=Path)
    parser.add_argument("--study", type=Path)
    asked_for = parser.parse_args()
    if INSIDE not in os.environ:
        if why := missing():
            print(f"orthanc: {why}", file=sys.stderr)
            return 2
        words = ["unshare", "-n", sys.executable, "-m", "validation.orthanc", *sys.argv[1:]]
        return subprocess.run(words, env={**os.environ, INSIDE: "1"}).returncode
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    return trial(asked_for.objects, asked_for.study)


if __name__ == "__main__":
    sys.exit(main())
