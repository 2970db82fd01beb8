"""What does the status page show? Numbered jobs; nothing that tells whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment

from ffr.results.result import RESEARCH_USE_ONLY
from ffr.serve.jobs import Job
from ffr.serve.places import numbered

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>ct-ffr: {{ health.status }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem; color: #1c2430; }
p.ruo { font-weight: 600; border-left: 4px solid #b35c00; padding-left: .6rem; }
table { border-collapse: collapse; } th { text-align: left; color: #55606e; }
th, td { padding: .25rem .8rem .25rem 0; border-bottom: 1px solid #dde2e8; }
td { vertical-align: top; }
td.number { font-variant-numeric: tabular-nums; } .failed, .trouble { font-weight: 600; }
@media (prefers-color-scheme: dark) { body { background: #12161c; color: #dfe5ec; } }
</style></head><body>
<h1>ct-ffr</h1>
<p class="ruo">{{ statement }}</p>
<p>{{ health.status }}{% if health.trouble %}: <span class="trouble">{{ health.trouble }}</span>
{% endif %}. {{ health.receiving }} being received, {{ health.queued }} queued,
{{ health.running }} running, {{ health.sending }} to be sent, {{ health.done }} done,
{{ health.failed }} failed, {{ health.superseded }} superseded.
{{ "%.1f"|format(health.free_gb) }} GB free.</p>
<table>
<tr><th>Job</th><th>State</th><th>Objects</th><th>Queued (UTC)</th><th>Begun</th>
<th>Analysed</th><th>Ended</th><th>Why</th></tr>
{% for job in jobs %}<tr><td class="number">{{ numbered(job.number) }}</td>
<td class="{{ job.state }}">{{ job.state }}</td><td class="number">{{ job.objects }}</td>
{% for moment in (job.queued, job.begun, job.analysed, job.ended) %}
<td class="number">{{ moment[:19]|replace("T", " ") }}</td>
{% endfor %}<td>{{ job.reason }}{% if job.message %}: {{ job.message }}{% endif %}
{% if job.state == "sending" and job.tries %} (tried {{ job.tries }} times){% endif %}</td></tr>
{% endfor %}</table>
{% if not jobs %}<p>No study has come yet.</p>{% endif %}
<p>ct-ffr {{ health.version }}. The last {{ most }} jobs; the page reads itself anew.</p>
</body></html>
"""
MOST_JOBS = 200
_TEMPLATE = Environment(autoescape=True, trim_blocks=True).from_string(_PAGE)


def status_page(health: Mapping[str, Any], jobs: Sequence[Job]) -> str:
    """Return the page as HTML that needs nothing else."""
    return _TEMPLATE.render(
        health=health, jobs=jobs, statement=RESEARCH_USE_ONLY, numbered=numbered, most=MOST_JOBS
    )
