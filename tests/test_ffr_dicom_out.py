"""A run as DICOM objects: the same study, the same numbers, the same voxels, nothing leaks."""

import logging
import shutil
import stat
import subprocess
from types import SimpleNamespace

import command_line
import highdicom
import numpy as np
import pydicom
import pytest
import run_folder
import virtual_series
from vtkmodules.util.numpy_support import vtk_to_numpy

from ffr import workflow
from ffr.dicom_out import chosen, codes, model, source, stamp, write
from ffr.dicom_out.ffr_map import ffr_map
from ffr.dicom_out.variant import Variant, chosen_variant
from ffr.editing import verb as editing
from ffr.editing.edits import Nudge
from ffr.errors import ConfigError, StudyError
from ffr.reading.study import read_study
from ffr.results import stages
from ffr.results.result import RESEARCH_USE_ONLY, ffr_rounded
from ffr.results.result_file import load_result
from ffr.stenting.span import Stent
from ffr.stenting.verb import stent_run
from meshes.surface import Surface, lumen_surface
from meshes.tree import path_length_mm
from meshes.volume import Volume
from meshes.voxels import voxels_within
from meshes.vtk_file import read_polydata

CASE = run_folder.case()
GONE = lambda _: None  # noqa: E731  progress that nobody looks at


def with_air(volume):
    """The stand-in's scan with air at its edge: without, it would be no CT."""
    values = volume.values.copy()
    values[:, :, :3] = -1000
    return Volume(volume.grid, values)


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """A run, its study, and its objects, made once."""
    folder = tmp_path_factory.mktemp("dicom")
    study = virtual_series.write(folder / "study", with_air(CASE.scan.volume))
    scan = read_study(study)
    known = SimpleNamespace(trees=CASE.trees, scan=scan)
    result = run_folder.fill(folder / "out", known, study)
    place = folder / "out" / "dicom"
    write.write_objects(folder / "out", study, place, GONE)
    made = {p.stem: pydicom.dcmread(p) for p in sorted(place.iterdir())}
    return SimpleNamespace(
        folder=folder, out=folder / "out", study=study, place=place, result=result,
        scan=scan, made=made, first=pydicom.dcmread(study / "IM000001.dcm"),
    )  # fmt: skip


@pytest.fixture
def undrawn(monkeypatch):
    """Objects without the drawings, which take most of the time."""
    monkeypatch.setattr(write, "report_pictures", lambda _: [np.zeros((3, 3, 3), np.uint8)])


def test_there_are_pictures_a_page_measurements_and_the_lumen(case):
    assert list(case.made) == ["lumen", "measurements", *sorted(
        name for name in case.made if name.startswith("picture")), "report"]  # fmt: skip
    assert sum(name.startswith("picture") for name in case.made) == 2  # summary, RCA
    assert stat.S_IMODE(case.place.stat().st_mode) == 0o700


def test_patient_and_study_are_those_of_the_scan_and_the_series_is_new(case):
    series = {}
    for name, d in case.made.items():
        for keyword in (*source.IDENTITY, "StudyInstanceUID", "StudyDescription"):
            assert d.get(keyword) == case.first.get(keyword), (name, keyword)
        assert d.SeriesInstanceUID != case.first.SeriesInstanceUID
        assert d.SeriesDescription.startswith("ct-ffr RUO ")
        series.setdefault(d.SeriesInstanceUID, set()).add(d.Modality)
    assert sorted(m for kinds in series.values() for m in kinds) == ["DOC", "OT", "SEG", "SR"]
    uids = [d.SOPInstanceUID for d in case.made.values()]
    assert len(set(uids)) == len(uids)


def test_names_in_another_alphabet_are_copied_as_they_are(case, tmp_path, undrawn):
    study = shutil.copytree(case.study, tmp_path / "study")
    name = "Yamada^Tarou=山田^太郎=やまだ^たろう"
    virtual_series.edit(
        study,
        virtual_series.put(
            SpecificCharacterSet=["", "ISO 2022 IR 87"],
            PatientName=name,
            PatientSex="D",
            InstitutionName="病院",
        ),
    )
    write.write_objects(case.out, study, tmp_path / "objects", GONE)
    for path in (tmp_path / "objects").iterdir():
        d = pydicom.dcmread(path)
        assert (str(d.PatientName), d.PatientSex) == (name, "D")
    (scanner, _) = pydicom.dcmread(
        tmp_path / "objects" / "lumen.dcm"
    ).ContributingEquipmentSequence
    assert scanner.InstitutionName == "病院"


def test_the_same_run_gives_the_same_files_and_another_configuration_other_uids(case, tmp_path):
    write.write_objects(case.out, case.study, tmp_path / "again", GONE)
    for path in case.place.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    found = source.find_source(case.scan, sorted(case.study.iterdir()))
    other = case.result.model_copy(update={"settings": {"venous_pressure_mmhg": 6.0}})
    later = case.result.model_copy(update={"created": "2031-01-01T00:00:00+00:00"})
    uids = [stamp.stamp_of(found, r).uid("lumen", "1") for r in (case.result, later, other)]
    assert uids[0] == uids[1] != uids[2]
    edited = stamp.stamp_of(found, case.result, Variant("edited", 1))
    assert edited.uid("lumen", "1") != uids[0]


def test_every_picture_bears_the_statement(case):
    top = set()
    for name, d in case.made.items():
        if name.startswith("picture"):
            pixels = d.pixel_array
            assert (d.PhotometricInterpretation, pixels.shape[2]) == ("RGB", 3)
            assert d.BurnedInAnnotation == "NO"
            assert len(d.PixelData) % 2 == 0
            top.add(pixels[:35].tobytes())
            assert np.mean(pixels[:35] < 200) > 0.01  # ink
    assert len(top) == 1  # the same words on each


def test_the_pdf_is_the_report_of_the_run_and_says_what_it_is_not(case):
    d = case.made["report"]
    pdf = d.EncapsulatedDocument[: d.EncapsulatedDocumentLength]
    assert pdf == (case.out / "report.pdf").read_bytes()
    assert pdf.startswith(b"%PDF")
    assert pdf.rstrip().endswith(b"%%EOF")
    assert len(d.EncapsulatedDocument) % 2 == 0
    assert d.MIMETypeOfEncapsulatedDocument == "application/pdf"
    if shutil.which("pdftotext"):
        words = subprocess.run(["pdftotext", "-", "-"], input=pdf, capture_output=True).stdout
        assert words.count(RESEARCH_USE_ONLY.encode()) == 2 * 2  # above and below, two pages


def test_a_run_without_its_pdf_gets_the_same_one_drawn_anew(case, tmp_path, undrawn):
    out = shutil.copytree(case.out, tmp_path / "out")
    (out / "report.pdf").unlink()
    write.write_objects(out, case.study, tmp_path / "objects", GONE)
    d = pydicom.dcmread(tmp_path / "objects" / "report.dcm")
    pdf = d.EncapsulatedDocument[: d.EncapsulatedDocumentLength]
    assert pdf == (case.out / "report.pdf").read_bytes()


def bytes_of(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def others(case):
    """An edited result and a virtual stent of the run, and the objects of both."""
    before = bytes_of(case.out)
    edits = [Nudge(vessel="RCA", from_mm=14.0, to_mm=22.0, wider_by_mm=0.5)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ffr.report.html.render_report", lambda _: "page")
        patch.setattr(workflow, "pdf_pages", lambda _: b"%PDF-1.4 edited by hand%%EOF")
        patch.setattr(write, "report_pictures", lambda _: [np.zeros((3, 3, 3), np.uint8)])
        patch.setattr(chosen, "report_pdf", lambda x: b"%PDF " + x.result.created.encode())
        editing.write_edits(case.out, editing.solve_edits(case.out, edits), GONE)
        stent_run(case.out, (Stent("RCA", 14.0, 22.0),), GONE)
        found = {}
        for variant in (Variant("edited", 1), Variant("stented", 1)):
            place = variant.folder(case.out) / "dicom"
            also = ("surface", "map") if variant.in_patient else ()
            write.write_objects(case.out, case.study, place, GONE, variant, also)
            found[variant.kind] = {p.stem: pydicom.dcmread(p) for p in place.iterdir()}
    after = bytes_of(case.out)
    assert {k: v for k, v in after.items() if k.parts[0] not in ("edits", "stents")} == before
    yield found
    for name in ("edits", "stents"):
        shutil.rmtree(case.out / name)


def test_edited_and_planned_results_are_series_of_their_own_that_say_so(case, others):
    usual = ["measurements", "picture-01", "report"]
    assert sorted(others["edited"]) == ["ffr-map", "lumen", *usual, "surface"]
    # a lumen that is planned is nowhere in the patient
    assert sorted(others["stented"]) == usual
    uids = [str(d.SOPInstanceUID) for d in case.made.values()]
    series = {str(d.SeriesInstanceUID) for d in case.made.values()}
    for kind, said in (("edited", "edited by hand"), ("stented", "virtual stent")):
        for d in others[kind].values():
            assert d.StudyInstanceUID == case.first.StudyInstanceUID
            assert d.SeriesDescription.startswith(f"ct-ffr RUO {said} 1: ")
            assert str(d.SeriesInstanceUID) not in series
            uids.append(str(d.SOPInstanceUID))
        series |= {str(d.SeriesInstanceUID) for d in others[kind].values()}
        assert said in others[kind]["report"].DocumentTitle
        assert said in others[kind]["picture-01"].ImageComments.lower()
        assert RESEARCH_USE_ONLY in others[kind]["picture-01"].ImageComments
    assert len(set(uids)) == len(uids)


def test_the_numbers_of_an_edited_result_are_its_own_and_say_how_they_came_about(case, others):
    for kind, code in (
        ("edited", codes.METHODS["edited"]),
        ("stented", codes.METHODS["stented"]),
    ):
        result = load_result(Variant(kind, 1).folder(case.out) / "result.json")
        d = others[kind]["measurements"]
        content = highdicom.sr.Comprehensive3DSR.from_dataset(d).content
        groups = content.get_image_measurement_groups()
        assert len(groups) == len(result.lesions) + len(result.vessels)
        for group, lesion in zip(groups, result.lesions, strict=False):
            found = numbers_of(group)
            assert found["371842003"] == ffr_rounded(lesion.ffr_distal)
            assert found["408715008"] == round(lesion.diameter_stenosis_percent)
        methods = {m.method for g in groups for m in g.get_measurements()}
        assert methods == {code}
        said = [
            x.TextValue
            for x in d.ContentSequence
            if x.ConceptNameCodeSequence[0].CodeMeaning == "Comment"
        ]
        assert said[0] == RESEARCH_USE_ONLY
        assert all(words.isascii() for words in said)
        if kind == "edited":
            assert said[1:] == [
                "Edited by hand: 1 edit",
                "1. lumen of the RCA nudged from 14.0 to 22.0 mm, 0.50 mm wider",
            ]
        else:
            (plan,) = said[1:]
            assert plan.startswith("With a virtual stent in the RCA, 14.1 to 21.6 mm")
            assert "nothing of whether to treat" in plan
    lowest = [
        load_result(Variant(k, n).folder(case.out) / "result.json").vessels[0]
        for k, n in (("automatic", 0), ("edited", 1), ("stented", 1))
    ]
    first, edited, planned = (x.lowest_ffr_not_for_decision for x in lowest)
    assert first < edited < planned


def test_the_report_and_the_lumen_of_an_edited_result_are_its_own(case, others):
    pdf = others["edited"]["report"]
    held = pdf.EncapsulatedDocument[: pdf.EncapsulatedDocumentLength]
    assert held == (case.out / "edits" / "1" / "report.pdf").read_bytes()
    plan = load_result(case.out / "stents" / "1" / "result.json")  # comes without a report
    drawn = others["stented"]["report"].EncapsulatedDocument.rstrip(b"\0")
    assert drawn == b"%PDF " + plan.created.encode()
    first, second = (
        highdicom.seg.Segmentation.from_dataset(d).get_volume(combine_segments=True)
        for d in (case.made["lumen"], others["edited"]["lumen"])
    )
    assert np.all(second.array[first.array > 0])
    wider = second.map_indices_to_reference(np.argwhere(second.array != first.array))
    assert len(wider) > 3
    tree = CASE.trees[0].tree
    nudged = tree.points_mm[np.abs(path_length_mm(tree) - 18.0) <= 4.0]
    away_mm = np.linalg.norm(wider[:, None] - nudged, axis=2).min(axis=1)
    assert away_mm.max() < 3.0
    (segment,) = others["edited"]["lumen"].SegmentSequence
    assert segment.SegmentAlgorithmType == "SEMIAUTOMATIC"
    assert segment.SegmentLabel == "coronary lumen, edited by hand"


def triangles_mm(data):
    """Corners of the triangles of a binary STL file, as its format says."""
    count = int.from_bytes(data[80:84], "little")
    assert len(data) == 84 + 50 * count
    rows = np.frombuffer(data[84:], np.uint8).reshape(count, 50)[:, 12:48]
    return rows.copy().view("<f4").reshape(count, 3, 3)


def test_the_surface_is_the_stl_of_the_run_in_the_frame_of_the_scan(case, others):
    found = source.find_source(case.scan, sorted(case.study.iterdir()))
    read = read_polydata(case.out / "lumen.vtp", "lumen.vtp")
    points_mm = vtk_to_numpy(read.GetPoints().GetData())
    corners = vtk_to_numpy(read.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    with source.silent():
        d = model.encapsulated_stl(
            found,
            stamp.stamp_of(found, case.result),
            Surface(points_mm, corners, np.zeros(len(corners), int)),
        )
    stl = d.EncapsulatedDocument[: d.EncapsulatedDocumentLength]
    assert stl == (case.out / "lumen.stl").read_bytes()
    assert b"research use only" in stl[:80]
    np.testing.assert_allclose(triangles_mm(stl), points_mm[corners], atol=1e-4)
    assert (d.Modality, d.SeriesNumber) == ("M3D", 9105)
    assert d.FrameOfReferenceUID == case.first.FrameOfReferenceUID
    assert d.MeasurementUnitsCodeSequence[0].CodeValue == "mm"
    assert len(d.SourceInstanceSequence) == case.scan.volume.values.shape[0]
    edited = others["edited"]["surface"]
    assert (edited.SeriesNumber, edited.ModelModification) == (9205, "NO")
    assert "edited by hand" in edited.DocumentTitle
    data = edited.EncapsulatedDocument[: edited.EncapsulatedDocumentLength]
    assert volume_mm3(triangles_mm(data)) > volume_mm3(triangles_mm(stl)) + 5.0


def test_the_map_holds_the_ffr_of_the_vessel_in_the_voxels_of_the_lumen(case, others):
    d = others["edited"]["ffr-map"]
    assert (d.SeriesNumber, d.ContentDescription[-17:]) == (9206, "research use only")
    (mapping,) = d.SharedFunctionalGroupsSequence[0].RealWorldValueMappingSequence
    assert mapping.MeasurementUnitsCodeSequence[0].CodeValue == "1"
    assert mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeValue == "371842003"
    assert mapping.RealWorldValueFirstValueMapped == 1  # 0 is no FFR of 0
    volume = highdicom.pm.ParametricMap.from_dataset(d).get_volume(
        apply_real_world_transform=False
    )
    lumen = highdicom.seg.Segmentation.from_dataset(others["edited"]["lumen"])
    inside = lumen.get_volume(combine_segments=True).array > 0
    np.testing.assert_array_equal(volume.array > 0, inside)
    ffr = volume.array[inside] * mapping.RealWorldValueSlope + mapping.RealWorldValueIntercept
    places = volume.map_indices_to_reference(np.argwhere(inside))
    poly = read_polydata(case.out / "edits" / "1" / "tree.vtp", "tree.vtp")
    points_mm = vtk_to_numpy(poly.GetPoints().GetData())
    along = vtk_to_numpy(poly.GetPointData().GetArray("ffr"))
    nearest = np.argmin(np.linalg.norm(places[:, None] - points_mm, axis=2), axis=1)
    np.testing.assert_allclose(ffr, along[nearest], atol=0.01)
    assert np.ptp(ffr) > 0.05


def test_where_nothing_is_analysed_the_map_is_empty(case):
    found = source.find_source(case.scan, sorted(case.study.iterdir()))
    inside = np.zeros(case.scan.volume.values.shape, bool)
    inside[3, 4, 5:8] = True
    with source.silent():
        d = ffr_map(
            found, stamp.stamp_of(found, case.result), inside, np.array([1.0, np.nan, 0.8])
        )
    assert sorted(d.pixel_array[d.pixel_array > 0].tolist()) == [8_000, 10_000]


def volume_mm3(corners_mm):
    a, b, c = (corners_mm[:, k].astype(float) for k in range(3))
    return np.einsum("ij,ij->", a, np.cross(b, c)) / 6


def test_a_result_that_is_not_there_or_does_not_fit_is_refused(case, others, tmp_path, undrawn):
    for words, why in (
        ({"edit": 7, "stent": None}, "--edit 7: there is no such edited result; there are 1"),
        ({"edit": None, "stent": 2}, "--stent 2: there is no such virtual stent; there are 1"),
        ({"edit": 1, "stent": 1}, "give one of them"),
    ):
        with pytest.raises(ConfigError, match=why):
            chosen_variant(case.out, **words)
    run = shutil.copytree(case.out, tmp_path / "run")
    shutil.copy(run / "tree.vtp", run / "edits" / "1" / "tree.vtp")
    shutil.copy(run / "result.json", run / "stents" / "1" / "result.json")
    before = bytes_of(run)
    for kind, why in (
        ("edited", "--edit 1: this version finds"),
        ("stented", "names no stent"),
    ):
        variant = Variant(kind, 1)
        with pytest.raises(ConfigError, match=why):
            write.write_objects(run, case.study, variant.folder(run) / "dicom", GONE, variant)
    variant = Variant("stented", 1)
    with pytest.raises(ConfigError, match="--ffr-map have no effect with --stent"):
        write.write_objects(run, case.study, tmp_path / "x", GONE, variant, ["map"])
    assert bytes_of(run) == before


def numbers_of(group):
    """Values of a group by the meaning of their code."""
    return {m.name.value: float(m.value) for m in group.get_measurements()}


def test_the_measurements_are_the_numbers_of_the_result_as_printed(case):
    content = highdicom.sr.Comprehensive3DSR.from_dataset(case.made["measurements"]).content
    groups = content.get_image_measurement_groups()
    (lesion,) = case.result.lesions
    assert len(groups) == 1 + len(case.result.vessels)
    numbers = numbers_of(groups[0])
    assert numbers["371842003"] == ffr_rounded(lesion.ffr_distal)
    assert numbers["FFR-LOW"] == ffr_rounded(lesion.ffr_low)
    assert numbers["FFR-HIGH"] == ffr_rounded(lesion.ffr_high)
    assert numbers["408715008"] == round(lesion.diameter_stenosis_percent)
    assert numbers["408716009"] == round(lesion.length_mm, 1)
    assert groups[0].finding_sites[0].value == codes.SEGMENT_SITES[lesion.segment]
    ffr = next(m for m in groups[0].get_measurements() if m.name == codes.FFR)
    assert ffr.method == codes.FROM_CT
    state = groups[0].get_qualitative_evaluations(name=codes.STATE)
    assert [x.value for x in state] == [codes.STATES[lesion.state]]
    for group, vessel in zip(groups[1:], case.result.vessels, strict=True):
        found = numbers_of(group)
        if vessel.lowest_ffr_not_for_decision is not None:
            lowest = ffr_rounded(vessel.lowest_ffr_not_for_decision)
            assert found["FFR-LOWEST"] == lowest
        assert ("371842003" in found) == bool(vessel.lesions)


def test_a_lesion_refers_to_the_slice_of_its_narrowest_place(case):
    content = highdicom.sr.Comprehensive3DSR.from_dataset(case.made["measurements"]).content
    (image,) = content.get_image_measurement_groups()[0].source_images
    throat = CASE.trees[0].tree.points_mm[case.result.lesions[0].throat_point]
    (d,) = [
        d
        for d in map(pydicom.dcmread, case.study.iterdir())
        if d.SOPInstanceUID == image.referenced_sop_instance_uid
    ]
    assert abs(float(d.ImagePositionPatient[2]) - throat[2]) <= 0.5 * 1.2 + 1e-6


def test_the_lumen_is_the_mesh_on_the_grid_of_the_scan(case):
    d = highdicom.seg.Segmentation.from_dataset(case.made["lumen"])
    assert d.FrameOfReferenceUID == case.first.FrameOfReferenceUID
    assert [s.SegmentLabel for s in d.SegmentSequence] == ["coronary lumen"]
    assert int(d.NumberOfFrames) == case.scan.volume.values.shape[0]
    trees = [c.tree for c in CASE.trees]
    mesh = lumen_surface(trees, contours=[c.contours for c in CASE.trees])
    slices = [pydicom.dcmread(p).SOPInstanceUID for p in sorted(case.study.iterdir())]
    found = d.get_pixels_by_source_instance(slices, combine_segments=True)
    np.testing.assert_array_equal(found, voxels_within(mesh, case.scan.volume.grid))


def test_another_study_is_refused(case, tmp_path, undrawn):
    other = with_air(CASE.scan.volume).values.copy()
    other[5, 20, 20] += 1
    study = virtual_series.write(tmp_path / "study", Volume(CASE.scan.volume.grid, other))
    with pytest.raises(ConfigError, match="made from another study"):
        write.write_objects(case.out, study, tmp_path / "objects", GONE)
    assert not (tmp_path / "objects").exists()
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="no CT series"):
        write.write_objects(case.out, tmp_path / "empty", tmp_path / "objects", GONE)


def test_a_run_without_a_dicom_study_and_an_unfinished_one_are_refused(case, tmp_path):
    with pytest.raises(ConfigError, match="made from a NIFTI file"):
        source.require_dicom_run("nifti")
    with pytest.raises(ConfigError, match="made from a lumen mask"):
        source.require_dicom_run("mask")
    run = shutil.copytree(case.out, tmp_path / "run")
    (run / "result.json").unlink()
    with pytest.raises(ConfigError, match="result file"):
        write.write_objects(run, case.study, tmp_path / "objects", GONE)


def test_a_folder_of_somebody_else_is_left_alone(case, tmp_path, undrawn):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="other files"):
        write.write_objects(case.out, case.study, tmp_path, GONE)
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_objects_go_with_the_results_they_show(case, tmp_path):
    run = shutil.copytree(case.out, tmp_path / "run")
    stages.discard_results(run)
    assert not (run / "dicom").exists()


def test_a_failure_leaves_the_earlier_objects_and_nothing_half(case, monkeypatch, undrawn):
    before = sorted((p.name, p.stat().st_mtime_ns) for p in case.place.iterdir())
    beside = sorted(p.name for p in case.out.iterdir())

    def full(path, *_, **__):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write.pydicom, "dcmwrite", full)
    with pytest.raises(OSError, match="No space"):
        write.write_objects(case.out, case.study, case.place, GONE)
    assert sorted((p.name, p.stat().st_mtime_ns) for p in case.place.iterdir()) == before
    assert sorted(p.name for p in case.out.iterdir()) == beside


def test_a_header_that_cannot_be_copied_is_one_line_without_its_value(case, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    study = shutil.copytree(case.study, tmp_path / "study")
    virtual_series.edit(study, lambda d: d.__delattr__("FrameOfReferenceUID"))
    with pytest.raises(StudyError, match="FrameOfReferenceUID") as refusal:
        write.write_objects(case.out, study, tmp_path / "objects", GONE)
    said = (str(refusal.value) + caplog.text).lower()
    assert not any(secret in said for secret in virtual_series.SECRETS)


UNDRAWN = """
import numpy
from ffr.dicom_out import write
write.report_pictures = lambda _: [numpy.zeros((3, 3, 3), numpy.uint8)]
"""


def test_the_verb_writes_and_names_nobody(case, others, tmp_path):
    before = bytes_of(case.out)
    code, printed, err = command_line.ffr(
        "dicom",
        case.out,
        "--study",
        case.study,
        "--edit",
        1,
        "--stl",
        "--ffr-map",
        before=UNDRAWN,
    )
    assert (code, err) == (0, "")
    assert "wrote 6 DICOM objects" in printed
    assert bytes_of(case.out) == before  # the edited result's own objects, once more the same
    names = [p.name for p in (case.out / "edits" / "1" / "dicom").iterdir()]
    said = (printed + err + " ".join(names)).lower()
    assert not any(secret in said for secret in command_line.SECRETS)
    assert "does not exist" in command_line.refused(
        "dicom", case.out, "--study", tmp_path / command_line.SECRET
    )
    assert "no earlier run" in command_line.refused("dicom", tmp_path, "--study", case.study)
    assert "study" in command_line.refused("dicom", case.out)
    assert "no such edited result; there are 1" in command_line.refused(
        "dicom", case.out, "--study", case.study, "--edit", 7
    )


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
def test_a_strict_reader_of_the_standard_finds_no_error(case, others):
    paths = sorted(case.out.rglob("*.dcm"))
    assert len(paths) >= len(case.made) + sum(map(len, others.values()))
    for path in paths:
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True)
        errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
        assert errors == [], path.name
