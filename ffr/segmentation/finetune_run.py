"""From a folder of labelled scans to own weights with a report: the whole adaptation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from ffr.labelled_scans import LabelledScan, LabelMeaning, Pair, find_pairs, read_pair
from ffr.own_weights import file_name
from ffr.scan import volume_sha256
from ffr.segmentation.finetune import FinetuneConfig, Fold, adapt, begin, folds
from ffr.segmentation.finetune_measure import measured_case, measured_virtual
from ffr.segmentation.finetune_report import Compared, Outcome, as_json, verdict, write
from ffr.segmentation.finetune_windows import Case, case_of, heart_of
from ffr.segmentation.maps import HeartMap
from ffr.segmentation.networks import UNet3d
from ffr.segmentation.recipes import architecture, commit
from ffr.segmentation.weights import Network, best_device, load_network, save_weights

Opened = Callable[[str], Callable[[float], None]]


def finetune(
    folder: Path, out: Path, config: FinetuneConfig, meaning: LabelMeaning, opened: Opened,
    device: str | None = None,
) -> tuple[bool, str]:  # fmt: skip
    """Adapt the vessel network to labelled scans; write weights, card and report into `out`.

    Parameters
    ----------
    folder
        Scans and labels, in a layout that `find_pairs` knows.
    out
        New folder, or the same training begun there.
    config, meaning
        How, and what the labels' numbers stand for.
    opened
        Opens a progress bar by its name.
    device
        "cpu" or "cuda"; the best there is by default.

    Returns
    -------
    recommended, why
        Whether the adapted weights are better on cases that their training did not see.

    Raises
    ------
    ConfigError
        A pair that cannot be learned from, or a folder of something else. Nothing has been
        written then.
    """
    device = device or best_device()
    pairs = find_pairs(folder)
    cases, data = _cases(pairs, meaning, device, opened("reading labelled scans"))
    settings = _settings(config, meaning, pairs, data, load_network("vessel", device))
    begin(out, settings)
    splits = folds([pair.number for pair in pairs], config)
    compared: list[Compared] = []
    tuned = load_network("vessel", device)
    for fold in splits:
        title = f"training {fold.number + 1} of {len(splits)}"
        tuned = load_network("vessel", device)
        adapt(
            cast(UNet3d, tuned.model), cases, config, fold, meaning, out / "training", device,
            opened(title),
        )  # fmt: skip
        asked = [pair for pair in pairs if pair.number in fold.held_out]
        compared += _compared(asked, meaning, tuned, device, opened)
    outcome = Outcome(
        tuple(compared), measured_virtual(load_network("vessel", device), config.edge),
        measured_virtual(tuned, config.edge), settings | {"commit": commit()},
        each_out=not splits[-1].held_out,
    )  # fmt: skip
    _keep(out, tuned, outcome, splits[-1])
    return verdict(outcome)


def _cases(
    pairs: Sequence[Pair], meaning: LabelMeaning, device: str, progress: Callable[[float], None]
) -> tuple[list[Case], str]:
    """Check every pair; return what windows are cut from, and a hash of all data."""
    anatomy = load_network("anatomy", device)
    cases, digest = [], hashlib.sha256()
    for pair in pairs:
        labelled, heart = _read(pair, meaning, anatomy)
        cases.append(case_of(labelled, heart))
        for volume in (labelled.scan.volume, labelled.told):
            digest.update(volume_sha256(volume).encode())
        progress(pair.number / len(pairs))
    return cases, digest.hexdigest()


def _read(pair: Pair, meaning: LabelMeaning, anatomy: Network) -> tuple[LabelledScan, HeartMap]:
    labelled = read_pair(pair, meaning)
    return labelled, heart_of(labelled, anatomy)


def _settings(
    config: FinetuneConfig, meaning: LabelMeaning, pairs: Sequence[Pair], data: str,
    shipped: Network,
) -> dict[str, Any]:  # fmt: skip
    layouts = sorted({pair.layout for pair in pairs})
    labels = {name: list(values) for name, values in asdict(meaning).items()}
    return {
        "labelled scans": len(pairs), "layout": ", ".join(layouts), **config.learned(),
        "labels": labels, "data sha256": data, "shipped weights sha256": shipped.sha256,
    }  # fmt: skip


def _compared(
    pairs: Sequence[Pair], meaning: LabelMeaning, tuned: Network, device: str, opened: Opened
) -> list[Compared]:
    """Judge shipped and adapted weights on scans that the training did not see."""
    if not pairs:
        return []
    moved = opened("judging held-out scans")
    anatomy, shipped = (load_network(name, device) for name in ("anatomy", "vessel"))
    found = []
    for n, pair in enumerate(pairs):
        labelled, heart = _read(pair, meaning, anatomy)  # again: whole, not only its heart
        before = measured_case(labelled, heart, shipped)
        moved((n + 0.5) / len(pairs))
        found.append(Compared(pair.number, before, measured_case(labelled, heart, tuned)))
        moved((n + 1) / len(pairs))
    return found


def _keep(out: Path, tuned: Network, outcome: Outcome, fold: Fold) -> None:
    """Write weights, card and report; the weights last: where they are, the rest is too."""
    write(outcome, out)
    good, why = verdict(outcome)
    facts = {
        **outcome.facts, "recommended": good, "cases trained on":
        outcome.facts["labelled scans"] - len(fold.held_out),
    }  # fmt: skip
    (out / "model-card.md").write_text(_card(outcome, facts, why))
    header = architecture("vessel") | {"step": facts["steps"], "finetuned": facts}
    save_weights("vessel", tuned.model, header, out / file_name("vessel"))


def _card(outcome: Outcome, facts: dict[str, Any], why: str) -> str:
    overall = as_json(outcome)["overall"]
    metrics = [
        f"| {key} | {overall['before'][key]} | {overall['after'][key]} |"
        for key in overall["before"]
        if key != "failures"
    ]
    lines = [
        "# Model card: vessel network, adapted to labelled scans", "",
        "Research use only. Not a medical device. Not for diagnosis.", "",
        "The shipped vessel network, trained on with labelled scans of one place and virtual "
        "patients (docs/training.md of ct-ffr). Use: `ffr run STUDY --out OUT --weights` with "
        "this folder.", "",
        f"Recommended: {'yes' if facts['recommended'] else 'no'}: {why}.", "",
        "| mean over held-out scans | before | after |", "|---|---|---|", *metrics, "",
        *(f"- {key}: {value}" for key, value in facts.items()), "",
        "Limits: few scans of one place; their labels most likely hold some of the wall; "
        "nothing was learned of plaque and calcium unless labels for them are named above.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
