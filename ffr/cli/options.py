"""What can be told to more than one verb? The options' types and help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Study = Annotated[
    Path, typer.Argument(help="DICOM folder, zip or file; NIfTI, NRRD or MetaImage.")
]
Out = Annotated[Path, typer.Option("--out", help="Folder for the results.")]
Run = Annotated[Path, typer.Argument(help="Folder of an earlier run.")]
Series = Annotated[
    str | None, typer.Option(help="DICOM series: number, UID or the end of one.")
]
PatientFile = Annotated[Path | None, typer.Option("--patient", help="Patient file, TOML.")]
Systolic = Annotated[float | None, typer.Option(help="Cuff pressure at rest, mmHg.")]
Diastolic = Annotated[float | None, typer.Option(help="Cuff pressure at rest, mmHg.")]
HeartRate = Annotated[
    float | None, typer.Option(help="Beats per minute at the scan; for ffr pulse.")
]
LvMass = Annotated[float | None, typer.Option(help="Myocardial mass of the left ventricle, g.")]
Haematocrit = Annotated[float | None, typer.Option(help="As a fraction, such as 0.45.")]
Sex = Annotated[str | None, typer.Option(help="female or male.")]
Dominance = Annotated[str | None, typer.Option(help="right, left or codominant.")]
MeanPressure = Annotated[
    float | None, typer.Option(help="Measured mean aortic pressure, mmHg; before the cuff.")
]
MapRule = Annotated[
    str | None, typer.Option(help="Mean from the cuff: third, form-factor or third-plus-5.")
]
Venous = Annotated[float | None, typer.Option(help="Right atrial pressure, mmHg.")]
RestingFlow = Annotated[
    float | None, typer.Option(help="Measured flow of both trees at rest; before the mass.")
]
FlowRule = Annotated[str | None, typer.Option(help="Flow from mass or morphometry.")]
Response = Annotated[
    float | None, typer.Option(help="Flow reserve of the beds, such as by PET.")
]
SplitExponent = Annotated[float | None, typer.Option(help="Flow divides as radius to this.")]
Viscosity = Annotated[float | None, typer.Option(help="Pa s; before the haematocrit.")]
Weights = Annotated[
    Path | None, typer.Option(help="Folder of own weights, of ffr train --finetune.")
]
