"""Which verbs look at a finished run and try what would change it? `view`, `stent`, `edit`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffr.cli.checks import check_span
from ffr.cli.ending import RUO, exit_with, in_child
from ffr.cli.options import Run
from ffr.guard import reported
from ffr.partial import claimed


def view(
    run: Run,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Of the local page; default: a free one.")
    ] = 0,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it, or only print where it is.")
    ] = True,
) -> None:
    """Look at a finished run: a local page until Ctrl-C."""

    def say(line: str) -> None:
        print(line, flush=True)

    def work() -> None:
        from ffr.results.result_folder import require_run

        require_run(run)
        from ffr.view.verb import view as show  # heavy: after the check

        say(RUO)
        show(run, port, browser, say)

    exit_with(reported(work))  # no child: a server waits, nothing is left half done


def stent(
    run: Run,
    vessel: Annotated[
        str | None, typer.Option(help="Vessel it ends in, as LAD; none: rank the lesions.")
    ] = None,
    from_mm: Annotated[
        float | None, typer.Option(help="Its upstream end, mm from the ostium.")
    ] = None,
    to_mm: Annotated[
        float | None, typer.Option(help="Its downstream end, mm from the ostium.")
    ] = None,
    diameter_mm: Annotated[
        float | None, typer.Option(help="Its lumen; default: the healthy reference.")
    ] = None,
) -> None:
    """What a stent would change; or which single stent helps most."""

    def work() -> None:
        from ffr.results.result_folder import require_run

        require_run(run)
        check_span(vessel, from_mm, to_mm, diameter_mm)
        from ffr.show import bars, page, progress_page
        from ffr.stenting import verb  # heavy: after the checks
        from ffr.stenting.comparison import STATEMENT
        from ffr.stenting.show import comparison_lines, comparison_table, ranking_table
        from ffr.stenting.span import Stent

        if vessel is None or from_mm is None or to_mm is None:
            rows = verb.rank(run)
            page().print(ranking_table(rows) if rows else "No lesions to stent.")
            print(f"{STATEMENT}\n{RUO}")
            return
        with claimed(run), bars(progress_page()) as opened:
            moved = opened("solving with the stent")
            found, place = verb.stent_run(
                run, (Stent(vessel, from_mm, to_mm, diameter_mm),), moved
            )
        for message in found.warnings:
            print(f"warning: {message}")
        page().print(comparison_table(found) if found.lesions else "No lesions found.")
        print("\n".join(comparison_lines(found)))
        print(f"written: {place}")
        print(RUO)

    in_child(run, work)


def edit(
    run: Run,
    edits: Annotated[Path | None, typer.Option(help="Edits as JSON: a list of them.")] = None,
    delete: Annotated[
        str | None, typer.Option(help="Vessel to take away; with --from-mm, from there on.")
    ] = None,
    relabel: Annotated[
        str | None, typer.Option(help="Vessel and its new name, as D1=D2.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="Vessel and the name of its part behind --at-mm: LAD=D3.")
    ] = None,
    move: Annotated[
        str | None, typer.Option(help="Vessel, and which it springs from at --at-mm: D1=LAD.")
    ] = None,
    nudge: Annotated[
        str | None, typer.Option(help="Vessel whose lumen is changed at --at-mm or in a span.")
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Vessel to give no FFR in.")] = None,
    at_mm: Annotated[float | None, typer.Option(help="Place, mm from the ostium.")] = None,
    from_mm: Annotated[float | None, typer.Option(help="Where it begins, likewise.")] = None,
    to_mm: Annotated[float | None, typer.Option(help="Where it ends, likewise.")] = None,
    diameter_mm: Annotated[
        float | None, typer.Option(help="Of --nudge: lumen diameter; 0.1: closed.")
    ] = None,
    wider_by_mm: Annotated[
        float | None, typer.Option(help="Of --nudge: change of the diameter.")
    ] = None,
    side: Annotated[
        str | None, typer.Option(help="left or right, where both trees have that vessel.")
    ] = None,
    onto: Annotated[
        int | None, typer.Option(min=1, help="Number of the edited result to go on from.")
    ] = None,
    undo: Annotated[bool, typer.Option("--undo", help="Drop the last edit of --onto.")] = False,
) -> None:
    """Correct the trees by hand; a result beside the automatic one."""

    def work() -> None:
        from ffr.results.result_folder import require_run

        require_run(run)
        from ffr.editing.command import Words, asked_edits

        words = Words(
            delete, relabel, split, move, nudge, exclude, side, at_mm, from_mm, to_mm,
            diameter_mm, wider_by_mm,
        )  # fmt: skip
        asked = asked_edits(edits, words, undo, onto)
        from ffr.editing import verb  # heavy: after the checks
        from ffr.report.edits import edit_line
        from ffr.show import bars, lesion_table, page, progress_page

        with claimed(run):
            with bars(progress_page()) as opened:
                moved = opened("solving the edited trees")
                draft = verb.solve_edits(run, asked, onto, undo)
                moved(1.0)
            for record in draft.log.edits:
                print(edit_line(record.entry), flush=True)  # before the interval is known
            with bars(progress_page()) as opened:
                result, place = verb.write_edits(run, draft, opened("interval and report"))
        page().print(lesion_table(result) if result.lesions else "No lesions found.")
        print(f"written: {place}")
        print(RUO)

    in_child(run, work)
