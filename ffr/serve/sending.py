"""When is what sent, and when again? Each object until the destination has said it has it."""

from __future__ import annotations

import logging

from ffr.serve.destination import Destination
from ffr.serve.errors import UnsentError
from ffr.serve.jobs import Job, Jobs
from ffr.serve.places import Places, numbered

logger = logging.getLogger(__name__)
LONGEST_WAIT_S = 600.0


def again_after_s(first_s: float, tries: int) -> float:
    """Return the wait after one more failure when `tries` have failed before, in seconds."""
    return min(first_s * 2.0 ** min(tries, 20), LONGEST_WAIT_S)


def send_due(places: Places, jobs: Jobs, node: Destination, wait_s: float) -> None:
    """Send what is due; what fails waits twice as long each time, from `wait_s`, for ever.

    An object that the destination has is noted at once. Killed before the note, it is sent
    again, with the same UID and the same bytes.
    """
    for job in jobs.due():
        _send(places, jobs, job, node, wait_s)


def _send(places: Places, jobs: Jobs, job: Job, node: Destination, wait_s: float) -> None:
    folder, name = places.objects(job.number), numbered(job.number)
    files = [folder / file for file in jobs.unsent(job.number)]
    try:
        node.send(files, lambda file: jobs.sent(job.number, file.name))
    except UnsentError as error:
        message = str(error)
    except OSError as error:
        message = f"the objects cannot be read: {error.strerror}"
    else:
        logger.info("job %s: sent", name)
        return
    wait_s = again_after_s(wait_s, job.tries)
    jobs.unsent_again(job.number, message, wait_s)
    logger.warning("job %s: not sent: %s; again in %.0f s", name, message, wait_s)
