"""Which verbs deal with many studies? `batch`, `serve` and `validate`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ffr.cli.ending import exit_with, in_child
from ffr.cli.options import Out, Weights
from ffr.guard import guarded, reported
from ffr.plugged import plugged
from ffr.supervise import INTERRUPTED


def batch(
    studies: Annotated[
        Path, typer.Argument(help="Folder of studies, or a list of them (.csv, .tsv).")
    ],
    out: Out,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler; default: this machine.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Cases at once here; default: what fits.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Of each case; default: its share of the cores.")
    ] = None,
    time_limit_min: Annotated[float, typer.Option(min=0.01, help="Of each case.")] = 60.0,
    memory_limit_gb: Annotated[float, typer.Option(min=0.01, help="Of each case.")] = 6.0,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Do cases again that failed before.")
    ] = False,
    patient: Annotated[
        Path | None, typer.Option(help="Patient file, TOML: what holds for all.")
    ] = None,
    weights: Weights = None,
) -> None:
    """Analyse many studies; started again, it goes on where it was."""

    def work() -> None:
        from ffr.batch.one_case import Limits
        from ffr.batch.verb import BatchSettings, run_batch

        limits = Limits(60.0 * time_limit_min, round(1000.0 * memory_limit_gb), threads)
        settings = BatchSettings(limits, scheduler, workers, retry_failed, patient, weights)
        sys.exit(run_batch(studies, out, settings))

    code = guarded(None, work)
    if code >= INTERRUPTED:
        print("ffr: finished cases are kept; the same command goes on", file=sys.stderr)
    exit_with(code)


def serve(
    out: Annotated[Path, typer.Option("--out", help="Folder of the service.")],
    config: Annotated[
        Path | None, typer.Option(help="The options below as TOML; words overrule it.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="To listen at; default 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="Of C-STORE; default 11112.")] = None,
    aet: Annotated[str | None, typer.Option(help="Our AE title; default CT-FFR.")] = None,
    allow_aet: Annotated[
        list[str] | None, typer.Option(help="AE title that may send; repeat it. None: all.")
    ] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="Our certificate, PEM.")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its key, PEM.")] = None,
    tls_ca: Annotated[
        Path | None, typer.Option(help="Whose certificates senders and destination need.")
    ] = None,
    most_associations: Annotated[int | None, typer.Option(help="At once; default 8.")] = None,
    settle_s: Annotated[
        float | None, typer.Option(help="Quiet for so long, a study is complete; default 45.")
    ] = None,
    study_limit_gb: Annotated[float | None, typer.Option(help="Default 8.")] = None,
    object_limit_gb: Annotated[float | None, typer.Option(help="Default 4.")] = None,
    min_free_gb: Annotated[
        float | None, typer.Option(help="With less free disk nothing is taken; default 5.")
    ] = None,
    keep_days: Annotated[
        float | None, typer.Option(help="Remove ended jobs after; default: never.")
    ] = None,
    watch: Annotated[
        Path | None, typer.Option(help="Folder; studies moved into it are taken out of it.")
    ] = None,
    send_to: Annotated[
        str | None, typer.Option(help="AET@host:port (C-STORE) or http(s)://... (STOW-RS).")
    ] = None,
    send_tls: Annotated[bool, typer.Option("--send-tls", help="C-STORE by TLS.")] = False,
    send_login: Annotated[
        Path | None, typer.Option(help="File with user:password, of STOW-RS.")
    ] = None,
    retry_s: Annotated[
        float | None, typer.Option(help="Wait before sending again; default 10, then longer.")
    ] = None,
    status_port: Annotated[
        int | None, typer.Option(help="Of the status page on 127.0.0.1; default 11180.")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="Jobs at once; default 1.")] = None,
    threads: Annotated[int | None, typer.Option(help="Of each job.")] = None,
    time_limit_min: Annotated[float | None, typer.Option(help="Of a job; default 60.")] = None,
    memory_limit_gb: Annotated[float | None, typer.Option(help="Of a job; default 6.")] = None,
    patient: Annotated[
        Path | None, typer.Option(help="Patient file, TOML: what holds for all.")
    ] = None,
    weights: Weights = None,
) -> None:
    """Receive studies, analyse them, send the results, until stopped."""
    words: dict[str, Any] = {
        "host": host, "port": port, "aet": aet, "allow_aet": allow_aet, "tls_cert": tls_cert,
        "tls_key": tls_key, "tls_ca": tls_ca, "most_associations": most_associations,
        "settle_s": settle_s, "study_limit_gb": study_limit_gb,
        "object_limit_gb": object_limit_gb, "min_free_gb": min_free_gb,
        "keep_days": keep_days, "watch": watch, "send_to": send_to,
        "send_tls": send_tls or None, "send_login": send_login, "retry_s": retry_s,
        "status_port": status_port, "workers": workers, "threads": threads,
        "time_limit_min": time_limit_min, "memory_limit_gb": memory_limit_gb,
        "patient": patient, "weights": weights,
    }  # fmt: skip

    def work() -> None:
        from ffr.serve.options import options_from
        from ffr.serve.verb import serve as run_service

        run_service(out, options_from(words, config))

    code = reported(work)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # at once: a thread may wait minutes for an archive's answer


def validate(
    cohort: Annotated[
        Path, typer.Argument(help="Cohort table, CSV: one row per vessel with invasive FFR.")
    ],
    out: Out,
    results: Annotated[
        Path | None, typer.Option(help="Folder of finished runs, called after their cases.")
    ] = None,
) -> None:
    """Compare computed with invasive FFR on a cohort."""

    def work() -> None:
        plugged("validation.cohort.verb", "validation").validate(cohort, out, results)

    in_child(out, work)
