"""A service on a disk of a few MB that another program fills; what it answers, as JSON.

Run it in a namespace of its own: `unshare -rm`, then mount a small tmpfs at its argument.
"""

import json
import os
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pydicom
from batch_program import wait_for
from serve_program import HOST, JOB, prepare, results_of, send, slice_of

from ffr.guard import reported
from ffr.serve import service
from ffr.serve.options import ServeOptions
from ffr.serve.verb import serve

# The stand-in tells a full disk as the analysis does, by `reported`
GUARDED = f"""
import sys
from ffr.guard import reported
sys.exit(reported(lambda: exec({JOB!r}, {{}})))
"""
SIDE = 500  # pixels: half a MB


def free_port():
    with socket.create_server((HOST, 0)) as one:
        return one.getsockname()[1]


def fill(path, leave_bytes):
    """Write a file that leaves so much of the disk."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            pass
        file.truncate(max(0, file.tell() - leave_bytes))


class Scene:
    """The folder of the service and what is seen of it."""

    def __init__(self, home, port, status_port):
        self.home, self.out, self.port, self.status = home, home / "out", port, status_port

    def health(self):
        address = f"http://{HOST}:{self.status}/health"
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)
        except OSError:
            return {}

    def kept(self):
        """Bytes of the pixels of all objects that are there."""
        read = map(pydicom.dcmread, (self.out / "studies").rglob("*.dcm"))
        return sorted(len(d.PixelData) for d in read)

    def incoming(self):
        return [p.name for p in (self.out / "incoming").iterdir()]


def play(scene):
    """Fill the disk in steps, send all the while, make room again."""
    told = {}
    wait_for(lambda: scene.health().get("status") == "ok")
    told["first"] = send(scene.port, [slice_of("a", 1), slice_of("a", 2)])
    wait_for(lambda: scene.health()["done"] == 1)

    ballast = scene.home / "ballast"
    fill(ballast, 1_300_000)
    large = [slice_of("b", n, size=SIDE) for n in (1, 2, 3)]
    told["nearly full"] = send(scene.port, large)
    fill(scene.home / "rest", 0)
    told["full"] = [*send(scene.port, large[2:]), *send(scene.port, [slice_of("c", 1)])]
    told["kept"], told["halves"] = scene.kept(), scene.incoming()
    wait_for(lambda: scene.health()["status"] == "trouble")
    told["trouble"] = scene.health()["trouble"]
    told["done while full"] = scene.health()["done"]

    for path in (ballast, scene.home / "rest"):
        path.unlink()
    told["room again"] = send(scene.port, large[2:])
    wait_for(lambda: scene.health()["status"] == "ok", 20)
    wait_for(lambda: scene.health()["done"] >= 2 and not scene.health()["queued"], 20)
    wait_for(lambda: latest(scene) == 3, 20)
    health = scene.health()
    told["states"] = {k: health[k] for k in ("queued", "running", "failed", "status")}
    told["halves at last"] = scene.incoming()
    made = [p.read_bytes() for p in (scene.out / "runs" / "cases").rglob("*.dcm")]
    told["results"] = [any(u.encode() in data for data in made) for u in results_of(large)]
    return told


def latest(scene):
    """How many objects the last finished job is about."""
    cases = sorted((scene.out / "runs" / "cases").iterdir())
    return len(list((scene.out / "jobs" / cases[-1].name / "study").iterdir()))


def main():
    service.SOON_S = 0.5
    home = Path(sys.argv[1])
    prepare(home)
    port, status_port = free_port(), free_port()
    options = ServeOptions(
        port=port, status_port=status_port, settle_s=0.3, min_free_gb=0.0, threads=1
    )
    found = {}

    def work():
        try:
            found.update(play(Scene(home, port, status_port)))
        except BaseException as error:
            found["error"] = repr(error)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=work, daemon=True).start()
    command = (sys.executable, "-c", GUARDED)
    found["code"] = reported(lambda: serve(home / "out", options, command))
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
