"""Meshes are written whole, read back the same by other programs, and refused by name."""

import contextlib
import resource

import meshio
import numpy as np
import pytest
import pyvista

from meshes.errors import GeometryError
from meshes.export import SURFACE_FORMATS, VOLUME_FORMATS, write_surface, write_volume_mesh
from meshes.filling import lumen_volume
from meshes.io import write_swc, write_vtp
from meshes.surface import Surface, lumen_surface, values_in_lumen, values_on_surface
from meshes.tree import VesselTree

MESHIO_NAMES = {".msh": "gmsh"}  # where meshio would try another reader first


@pytest.fixture(scope="module")
def tree():
    s = np.linspace(0.0, 6.0, 13)
    points = np.array([-12.3, 45.6, -789.0]) + s[:, None] * [0.6, 0.0, -0.8]
    return VesselTree(points, 1.2 - 0.05 * s, np.arange(-1, 12))


@pytest.fixture(scope="module")
def surface(tree):
    return lumen_surface([tree], spacing_mm=0.5)


@pytest.fixture(scope="module")
def ffr(tree, surface):
    along = np.linspace(1.0, 0.8, len(tree))
    along[10:] = np.nan
    return values_on_surface(surface, [tree], [along])


def test_vtp_keeps_everything_to_the_last_bit(tmp_path, surface, ffr):
    write_surface(tmp_path / "lumen.vtp", surface, {"ffr": ffr})
    mesh = pyvista.read(tmp_path / "lumen.vtp")
    assert np.array_equal(mesh.points, surface.points_mm)
    assert np.array_equal(mesh.regular_faces, surface.triangles)
    assert np.array_equal(mesh["ffr"], ffr, equal_nan=True)
    assert np.isnan(mesh["ffr"]).any()
    assert np.array_equal(mesh["cap"], surface.face_label)
    assert list(mesh.field_data["axes"]) == ["LPS"]
    assert list(mesh.field_data["unit"]) == ["mm"]
    assert mesh.is_manifold


def test_stl_states_unit_and_axes_and_encloses_the_same_volume(tmp_path, surface):
    write_surface(tmp_path / "lumen.stl", surface)
    content = (tmp_path / "lumen.stl").read_bytes()
    assert not content.startswith(b"solid")
    assert b"mm" in content[:80]
    assert b"LPS" in content[:80]
    assert len(content) == 84 + 50 * len(surface.triangles)
    mesh = pyvista.read(tmp_path / "lumen.stl")
    assert mesh.n_cells == len(surface.triangles)
    assert mesh.is_manifold
    p = surface.points_mm[surface.triangles] - surface.points_mm[0]
    volume = np.einsum("ij,ij->", p[:, 0], np.cross(p[:, 1], p[:, 2])) / 6.0
    # 32-bit coordinates near 800 mm are rounded to 6e-5 mm
    assert mesh.volume == pytest.approx(volume, rel=1e-3)
    assert mesh.bounds == pytest.approx(polydata_bounds(surface), abs=1e-4)


def polydata_bounds(surface):
    low, high = surface.points_mm.min(axis=0), surface.points_mm.max(axis=0)
    return np.stack([low, high], axis=1).ravel()


@pytest.mark.parametrize("extension", [e for e in SURFACE_FORMATS if e not in (".vtp", ".stl")])
def test_every_surface_format_reads_back(tmp_path, surface, ffr, extension):
    path = tmp_path / f"lumen{extension}"
    write_surface(path, surface, {"ffr": ffr})
    mesh = meshio.read(path, file_format=MESHIO_NAMES.get(extension))
    # text formats keep as few as 7 digits of coordinates up to 800 mm
    assert mesh.points == pytest.approx(surface.points_mm, abs=1e-3)
    assert np.array_equal(mesh.cells_dict["triangle"], surface.triangles)
    if SURFACE_FORMATS[extension][1]:
        assert mesh.point_data["ffr"].ravel() == pytest.approx(ffr, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("extension", VOLUME_FORMATS)
def test_every_volume_format_reads_back(tmp_path, tree, extension):
    volume = lumen_volume([tree], spacing_mm=0.6)
    ffr = values_in_lumen(volume.points_mm, [tree], [np.linspace(1.0, 0.8, len(tree))])
    path = tmp_path / f"lumen{extension}"
    write_volume_mesh(path, volume, {"ffr": ffr})
    mesh = meshio.read(path, file_format=MESHIO_NAMES.get(extension))
    assert mesh.points == pytest.approx(volume.points_mm, abs=1e-3)
    assert np.array_equal(mesh.cells_dict["tetra"], volume.tetrahedra)
    if VOLUME_FORMATS[extension][1]:
        assert mesh.point_data["ffr"].ravel() == pytest.approx(ffr, abs=1e-6)


def test_paraview_sees_tetrahedra_of_positive_volume(tmp_path, tree):
    volume = lumen_volume([tree], spacing_mm=0.6)
    write_volume_mesh(tmp_path / "lumen.vtu", volume)
    sizes = pyvista.read(tmp_path / "lumen.vtu").compute_cell_sizes()["Volume"]
    assert sizes.min() > 0.0


def test_the_same_surface_gives_the_same_file(tmp_path, surface, ffr):
    for extension in (".vtp", ".stl", ".vtu"):
        one, two = tmp_path / f"one{extension}", tmp_path / f"two{extension}"
        write_surface(one, surface, {"ffr": ffr})
        write_surface(two, surface, {"ffr": ffr})
        assert one.read_bytes() == two.read_bytes()


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, surface, monkeypatch):
    path = tmp_path / "lumen.ply"
    path.write_text("old")

    def fail(target, *_, **__):
        target.write_text("half")
        message = "disk full"
        raise OSError(message)

    monkeypatch.setattr(meshio, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        write_surface(path, surface)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["lumen.ply"]


@contextlib.contextmanager
def small_disk(size=2_000):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("extension", SURFACE_FORMATS)
def test_a_full_disk_names_the_file_that_was_asked_for(tmp_path, surface, capfd, extension):
    path = tmp_path / f"lumen{extension}"
    with pytest.raises(OSError, match=r"File too large|No space left") as caught, small_disk():
        write_surface(path, surface)
    assert caught.value.filename == str(path)
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.name not in capfd.readouterr().err


def test_a_folder_that_is_not_there_names_the_file_that_was_asked_for(tmp_path, surface, tree):
    for name, write in (
        ("lumen.stl", lambda path: write_surface(path, surface)),
        ("lumen.vtu", lambda path: write_volume_mesh(path, lumen_volume([tree], 1.0))),
        ("tree.vtp", lambda path: write_vtp(path, tree)),
        ("tree.swc", lambda path: write_swc(path, tree)),
    ):
        with pytest.raises(FileNotFoundError) as caught:
            write(tmp_path / "none" / name)
        assert caught.value.filename == str(tmp_path / "none" / name)


def test_an_unknown_extension_is_refused_with_the_known_ones(tmp_path, surface, tree):
    with pytest.raises(GeometryError, match=r"^a surface .* known are \.vtp \.stl \.ply"):
        write_surface(tmp_path / "lumen.doc", surface)
    with pytest.raises(GeometryError, match=r"with this extension; known are \.vtu"):
        write_volume_mesh(tmp_path / "lumen", lumen_volume([tree], spacing_mm=1.0))
    assert list(tmp_path.iterdir()) == []


def test_data_of_the_wrong_length_is_refused_by_name(tmp_path, surface):
    with pytest.raises(GeometryError, match=r"ffr has shape \(3,\), the mesh has"):
        write_surface(tmp_path / "lumen.vtp", surface, {"ffr": np.zeros(3)})


def test_a_single_triangle_is_written(tmp_path):
    lone = Surface([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], [0])
    write_surface(tmp_path / "one.STL", lone)
    table = np.frombuffer((tmp_path / "one.STL").read_bytes()[84:96], "<f4")
    assert table.tolist() == [0.0, 0.0, 1.0]
