"""Does it find the arteries of a real person, painted into a heart of another program?

    python -m validation real_tree FOLDER

FOLDER holds the centrelines `lca_cl.vtp`, `rca_cl.vtp` and `ao_cl.vtp` of a person whose right
coronary artery springs from the left sinus (github.com/yungselm/multimoda-rs, MIT). Two
narrowings and calcium are added; the heart under them is the strangers' template, and so are
the scanners. Research use only.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from ffr.segmentation.weights import best_device
from validation.real_body import NAMES, real_body
from validation.setting import setting
from validation.stranger import table
from validation.stranger_case import LOOKS, run_body

SEED = 7  # of the noise


def main(arguments: Sequence[str] | None = None) -> None:
    """Scan the person with each look and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m validation real_tree", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("folder", type=Path)
    parser.add_argument("--looks", nargs="+", default=["realistic", "dim"], choices=LOOKS)
    given = parser.parse_args(arguments)
    missing = [n for n in (*NAMES, "ao_cl.vtp") if not (given.folder / n).is_file()]
    if missing:
        parser.error(f"no {missing[0]} in {given.folder}; give the folder of centrelines")
    body = real_body(given.folder)
    cases = [run_body(f"real / {look}", body, LOOKS[look], SEED) for look in given.looks]
    print(setting("python -m validation real_tree", arguments, best_device()))
    print("\n".join(table(cases)))


if __name__ == "__main__":
    main()
