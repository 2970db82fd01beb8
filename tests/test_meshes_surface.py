"""The lumen mesh is closed, manifold, faces outwards, and is as wide as the tree says."""

from pathlib import Path

import numpy as np
import pytest
import pyvista
from scipy.spatial import cKDTree

from meshes.contours import Contours
from meshes.errors import GeometryError
from meshes.filling import lumen_volume
from meshes.surface import Surface, lumen_surface, values_on_surface
from meshes.tree import VesselTree, outlets, path_length_mm, segment_length_mm

CENTRELINES = Path(__file__).parent.parent.parent / "shared/data/coronary_centrelines_ivus"
AXIS = np.array([0.48, -0.64, -0.6])  # no axis of any lattice


def tube(radius_mm, length_mm=20.0, step_mm=0.5):
    """A straight oblique vessel; the radius may be a function of path length."""
    s = np.linspace(0.0, length_mm, round(length_mm / step_mm) + 1)
    radius = radius_mm(s) if callable(radius_mm) else np.full(s.size, radius_mm)
    points = np.array([10.1, -40.2, 903.7]) + s[:, None] * AXIS
    return VesselTree(points, radius, np.arange(-1, s.size - 1))


def stenosed(depth, throat_mm=10.0, length_mm=8.0):
    def radius(s):
        x = np.clip(np.abs(s - throat_mm) / (length_mm / 2), 0.0, 1.0)
        return 1.5 * (1.0 - depth * (0.5 + 0.5 * np.cos(np.pi * x)))

    return radius


def fork(radii_mm=(1.8, 1.4, 1.0), angle_rad=0.5, step_mm=0.5):
    """A vessel that splits in two daughters, each at `angle_rad` off its direction."""
    side = np.cross(AXIS, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    points, parent, radius = [np.zeros(3)], [-1], [radii_mm[0]]
    for k, lean in enumerate((0.0, angle_rad, -angle_rad)):
        direction = np.cos(lean) * AXIS + np.sin(lean) * side
        for j in range(round(12.0 / step_mm)):
            parent.append(len(points) - 1 if j or k == 0 else round(12.0 / step_mm))
            points.append(points[parent[-1]] + step_mm * direction)
            radius.append(radii_mm[k])
    return VesselTree(points, radius, parent)


def real_tree(name):
    """Merge the centrelines of a file, aorta left out: they share points up to their forks."""
    lines = pyvista.read(CENTRELINES / name)
    points, radius, parent = np.zeros((0, 3)), [], []
    for number in range(lines.n_cells):
        ids = lines.get_cell(number).point_ids
        line = lines.points[ids].astype(float)
        wide = np.asarray(lines["MaximumInscribedSphereRadius"])[ids]
        first = int(np.flatnonzero(wide > 3.0)[-1]) + 1
        line, wide, above = line[first:], wide[first:], -1
        if number:
            distance, near = cKDTree(points).query(line)
            shared = int(np.flatnonzero(distance < 1e-3)[-1])
            line, wide, above = line[shared + 1 :], wide[shared + 1 :], int(near[shared])
        parent += [above, *range(len(points), len(points) + len(line) - 1)]
        points, radius = np.concatenate([points, line]), [*radius, *wide]
    return VesselTree(points, radius, parent)


def edges_and_counts(triangles):
    edges = triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    return np.unique(np.sort(edges, axis=1), axis=0, return_counts=True)


def euler(surface):
    edges, _ = edges_and_counts(surface.triangles)
    return len(surface.points_mm) - len(edges) + len(surface.triangles)


def volume_mm3(surface):
    p = surface.points_mm[surface.triangles] - surface.points_mm.mean(axis=0)
    return np.einsum("ij,ij->", p[:, 0], np.cross(p[:, 1], p[:, 2])) / 6.0


def areas_mm2(surface):
    p = surface.points_mm[surface.triangles]
    return np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1) / 2.0


def assert_watertight(surface, pieces=1):
    """Every edge has two triangles that run along it in opposite directions."""
    edges = surface.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2)
    assert len(np.unique(edges, axis=0)) == len(edges)
    assert np.all(edges_and_counts(surface.triangles)[1] == 2)
    assert euler(surface) == 2 * pieces
    assert volume_mm3(surface) > 0.0
    assert areas_mm2(surface).min() > 1e-6  # a thousandth of the median


def polydata(surface):
    faces = np.insert(surface.triangles, 0, 3, axis=1)
    return pyvista.PolyData(np.array(surface.points_mm), faces)


def section_area_mm2(surface, origin_mm, normal):
    """Area of the lumen across its axis: triangles from the axis to the outline."""
    line = polydata(surface).slice(origin=origin_mm, normal=normal)
    ends = line.points[line.lines.reshape(-1, 3)[:, 1:]].astype(float) - origin_mm
    near = np.linalg.norm(ends, axis=2).max(axis=1) < 4.0
    return np.abs(np.cross(ends[near, 0], ends[near, 1]) @ normal).sum() / 2.0


@pytest.mark.parametrize("radius_mm", [0.1, 0.5, 1.5, 3.0])
def test_a_cylinder_is_closed_and_has_its_volume(radius_mm):
    surface = lumen_surface([tube(radius_mm)])
    assert_watertight(surface)
    # vertices compensate chords to first order; second order is (edge / radius)^2 of that
    assert volume_mm3(surface) == pytest.approx(np.pi * radius_mm**2 * 20.0, rel=0.005)


def test_a_cone_has_its_volume():
    surface = lumen_surface([tube(lambda s: 2.0 - 0.05 * s)])
    assert_watertight(surface)
    assert volume_mm3(surface) == pytest.approx(np.pi * 20.0 / 3.0 * (4 + 2 + 1), rel=0.005)


@pytest.mark.parametrize("depth", [0.0, 0.5, 0.9, 0.95])
def test_the_minimal_lumen_area_survives_meshing(depth):
    tree = tube(stenosed(depth), step_mm=0.25)
    surface = lumen_surface([tree])
    assert_watertight(surface)
    throat = int(np.argmin(tree.radius_mm)) if depth else 40
    area = section_area_mm2(surface, tree.points_mm[throat], AXIS)
    # 3 % of area is 1.5 % of diameter, below what CT resolves
    assert area == pytest.approx(np.pi * tree.radius_mm[throat] ** 2, rel=0.03)


def test_the_surface_lies_where_the_tree_says_in_patient_space():
    tree = tube(1.5)
    points = lumen_surface([tree]).points_mm - tree.points_mm[0]
    along = points @ AXIS
    across = np.linalg.norm(points - along[:, None] * AXIS, axis=1)
    assert along.min() == pytest.approx(0.0, abs=1e-9)
    assert along.max() == pytest.approx(20.0, abs=1e-9)
    wall = (along > 0.01) & (along < 19.99)
    # outside the radius by the mean sagitta of triangles up to 0.4 mm wide: 0.4^2 / 16 r
    assert across[wall].min() > 1.5 - 0.001
    assert across[wall].max() < 1.5 + 0.4**2 / (16 * 1.5) * 1.5


def test_caps_are_flat_labelled_and_face_outwards():
    tree = fork()
    surface = lumen_surface([tree])
    assert_watertight(surface)
    ends = np.concatenate([[0], outlets(tree)])
    assert set(surface.face_label) == {0, 1, 2, 3}
    for label, end in enumerate(ends, start=1):
        cap = surface.points_mm[surface.triangles[surface.face_label == label]]
        inner = end + 1 if end == 0 else tree.parent[end]
        outward = tree.points_mm[end] - tree.points_mm[inner]
        outward /= np.linalg.norm(outward)
        assert (cap - tree.points_mm[end]) @ outward == pytest.approx(0.0, abs=1e-6)
        normal = np.cross(cap[:, 1] - cap[:, 0], cap[:, 2] - cap[:, 0])
        assert np.all(normal @ outward > 0.0)
        area = np.linalg.norm(normal, axis=1).sum() / 2.0
        assert area == pytest.approx(np.pi * tree.radius_mm[end] ** 2, rel=0.03)


def test_an_open_surface_lacks_exactly_its_caps():
    closed, opened = lumen_surface([fork()]), lumen_surface([fork()], caps=False)
    assert np.all(opened.face_label == 0)
    edges, count = edges_and_counts(opened.triangles)
    assert count.max() == 2
    rim = edges[count == 1]
    # three open ends: three loops, as many rim edges as rim points
    assert np.unique(rim).size == len(rim)
    assert euler(opened) == 2 - 3
    assert areas_mm2(opened).sum() == pytest.approx(
        areas_mm2(closed)[closed.face_label == 0].sum(), rel=1e-9
    )


def test_a_plane_that_ends_one_branch_cuts_no_other(caplog):
    # a hairpin: the vessel turns back, and its end plane passes through its own beginning
    turn = np.linspace(0.0, np.pi, 20)
    down = np.stack([np.full(40, 5.0), np.zeros(40), np.linspace(25.0, 0.5, 40)], axis=1)
    bend = np.stack([5.0 * np.cos(turn), np.zeros(20), -5.0 * np.sin(turn)], axis=1)
    up = np.stack([np.full(20, -5.0), np.zeros(20), np.linspace(0.5, 12.0, 20)], axis=1)
    points = np.concatenate([down, bend, up])
    tree = VesselTree(points, np.full(80, 1.2), np.arange(-1, 79))
    surface = lumen_surface([tree])
    assert_watertight(surface)
    length = segment_length_mm(tree).sum()
    # Pappus: a bent tube has the volume of its axis
    assert volume_mm3(surface) == pytest.approx(np.pi * 1.44 * length, rel=0.01)
    last = surface.points_mm[surface.triangles[surface.face_label == 2]]
    assert last[..., 2] == pytest.approx(12.0, abs=1e-6)
    assert np.all(last[..., 0] < 0.0)
    assert not caplog.records


@pytest.mark.parametrize("angle_rad", [0.05, 0.2, 0.5, 1.2])
def test_a_bifurcation_has_no_hole_and_no_tunnel_at_any_angle(angle_rad):
    assert_watertight(lumen_surface([fork(angle_rad=angle_rad)]))


def test_the_notch_between_branches_is_closed_however_the_lattice_lies():
    # without the fillet between branches, the lattice bridges this notch above its tip
    turn = np.linalg.qr(np.random.default_rng(9).normal(size=(3, 3)))[0]
    tree = fork((1.5, 1.5, 1.3), angle_rad=0.2)
    turned = VesselTree(tree.points_mm @ turn, tree.radius_mm, tree.parent)
    assert_watertight(lumen_surface([turned]))


def test_branches_keep_their_width_beside_a_bifurcation():
    tree = fork(angle_rad=0.3)
    surface = lumen_surface([tree])
    s = path_length_mm(tree)
    for end in outlets(tree):
        outward = tree.points_mm[end] - tree.points_mm[tree.parent[end]]
        point = end - 4  # 2 mm before the end, the branches lie 6 mm apart
        area = section_area_mm2(
            surface, tree.points_mm[point], outward / np.linalg.norm(outward)
        )
        assert s[point] == pytest.approx(22.0)
        assert area == pytest.approx(np.pi * tree.radius_mm[point] ** 2, rel=0.03)


def test_a_side_branch_shorter_than_its_parent_is_wide_gets_no_cap(caplog):
    main = tube(2.0)
    points = np.concatenate([main.points_mm, main.points_mm[[20]] + [0.3, 0.4, 0.0]])
    tree = VesselTree(points, [*main.radius_mm, 0.5], [*main.parent, 20])
    surface = lumen_surface([tree])
    assert_watertight(surface)
    assert set(surface.face_label) == {0, 1, 2}
    assert "lies inside another and gets no cap" in caplog.text


def test_two_trees_are_two_pieces_with_labels_that_go_on():
    other = tube(1.0)
    moved = VesselTree(other.points_mm + [30.0, 0.0, 0.0], other.radius_mm, other.parent)
    surface = lumen_surface([fork(), moved])
    assert_watertight(surface, pieces=2)
    assert set(surface.face_label) == {0, 1, 2, 3, 4, 5}
    right = surface.points_mm[surface.triangles[surface.face_label == 4]]
    assert right.mean(axis=(0, 1)) == pytest.approx(moved.points_mm[0], abs=0.2)


def test_the_same_tree_gives_the_same_mesh():
    one, two = lumen_surface([fork()]), lumen_surface([fork()])
    assert np.array_equal(one.points_mm, two.points_mm)
    assert np.array_equal(one.triangles, two.triangles)


def outlined(tree, shape, twist_rad_mm=0.0):
    """Contours of the tree's area radius; `shape` of angle and path length."""
    s = path_length_mm(tree)
    first = np.cross(AXIS, [0.0, 0.0, 1.0])
    first /= np.linalg.norm(first)
    turn = twist_rad_mm * s[:, None]
    zero = np.cos(turn) * first + np.sin(turn) * np.cross(AXIS, first)
    angle = np.arange(32) * 2 * np.pi / 32 + turn
    radius = shape(angle, s[:, None])
    radius *= tree.radius_mm[:, None] / np.sqrt(np.mean(radius**2, axis=1, keepdims=True))
    return Contours(radius, zero, np.cross(AXIS, zero))


def ellipse(angle, s):
    return 1.0 / np.hypot(np.cos(angle) / 1.4, np.sin(angle) * 1.4)


@pytest.mark.parametrize("twist_rad_mm", [0.0, 0.3])
def test_an_oval_vessel_is_oval_whichever_way_its_rays_start(twist_rad_mm):
    tree = tube(1.2)
    surface = lumen_surface([tree], contours=[outlined(tree, ellipse, twist_rad_mm)])
    assert_watertight(surface)
    assert volume_mm3(surface) == pytest.approx(np.pi * 1.2**2 * 20.0, rel=0.01)
    first = np.cross(AXIS, [0.0, 0.0, 1.0]) / np.hypot(*AXIS[:2])
    wall = surface.points_mm[np.unique(surface.triangles[surface.face_label == 0])]
    arm = wall - tree.points_mm[0]
    long, short = np.abs(arm @ first), np.abs(arm @ np.cross(AXIS, first))
    assert long.max() == pytest.approx(1.2 * 1.4, rel=0.03)
    assert short.max() == pytest.approx(1.2 / 1.4, rel=0.03)


def test_a_crescent_throat_keeps_its_minimal_lumen_area():
    tree = tube(stenosed(0.6), step_mm=0.25)
    crescent = outlined(tree, lambda a, s: 1.0 + 0.35 * np.cos(a - 1.0) + 0.15 * np.cos(3 * a))
    surface = lumen_surface([tree], contours=[crescent])
    assert_watertight(surface)
    throat = int(np.argmin(tree.radius_mm))
    area = section_area_mm2(surface, tree.points_mm[throat], AXIS)
    assert area == pytest.approx(np.pi * tree.radius_mm[throat] ** 2, rel=0.03)
    mesh = lumen_volume([tree], contours=[crescent])
    p = mesh.points_mm[mesh.tetrahedra]
    volumes = np.linalg.det(p[:, 1:] - p[:, :1]) / 6.0
    assert volumes.min() > 0.0
    assert volumes.sum() == pytest.approx(volume_mm3(surface), rel=0.02)


def test_round_contours_change_nothing():
    tree = fork()
    n = len(tree)
    circles = Contours(np.ones((n, 8)), [[1.0, 0.0, 0.0]] * n, [[0.0, 1.0, 0.0]] * n)
    plain, same = lumen_surface([tree]), lumen_surface([tree], contours=[circles])
    assert same.points_mm == pytest.approx(plain.points_mm, abs=1e-9)


def test_contours_that_do_not_fit_are_refused_by_name():
    good = np.ones((3, 8)), np.eye(3), np.eye(3)
    with pytest.raises(GeometryError, match="4 or more"):
        Contours(np.ones((3, 2)), *good[1:])
    with pytest.raises(GeometryError, match="not positive"):
        Contours(0.0 * good[0], *good[1:])
    with pytest.raises(GeometryError, match="directions"):
        Contours(good[0], np.eye(2), np.eye(3))
    with pytest.raises(GeometryError, match="3 contours do not fit"):
        lumen_surface([tube(1.0)], contours=[Contours(*good)])


@pytest.mark.skipif(not CENTRELINES.exists(), reason="real centrelines are not there")
@pytest.mark.parametrize(("name", "ends"), [("lca_cl.vtp", 6), ("rca_cl.vtp", 5)])
def test_real_coronary_trees_become_watertight(name, ends):
    tree = real_tree(name)
    surface = lumen_surface([tree], spacing_mm=0.7)
    assert_watertight(surface)
    assert set(surface.face_label) == set(range(ends + 1))


def test_tetrahedra_fill_the_surface():
    tree = fork()
    mesh = lumen_volume([tree])
    p = mesh.points_mm[mesh.tetrahedra]
    volumes = np.linalg.det(p[:, 1:] - p[:, :1]) / 6.0
    assert volumes.min() > 0.0
    assert volumes.sum() == pytest.approx(volume_mm3(lumen_surface([tree])), rel=0.02)
    # conforming: every face belongs to two tetrahedra, or to one and the closed outside
    corners = mesh.tetrahedra[:, [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]]].reshape(-1, 3)
    faces, count = np.unique(np.sort(corners, axis=1), axis=0, return_counts=True)
    assert count.max() == 2
    assert np.all(edges_and_counts(faces[count == 1])[1] % 2 == 0)


@pytest.mark.parametrize("depth", [0.9, 0.97])
def test_tetrahedra_pass_through_a_throat_thinner_than_the_lattice(depth):
    tree = tube(stenosed(depth), step_mm=0.25)
    mesh = lumen_volume([tree])
    p = mesh.points_mm[mesh.tetrahedra]
    assert (np.linalg.det(p[:, 1:] - p[:, :1])).min() > 0.0
    along = (mesh.points_mm - tree.points_mm[0]) @ AXIS
    throat = mesh.points_mm[np.abs(along - 10.0) < 0.3] - tree.points_mm[0]
    across = np.linalg.norm(throat - (throat @ AXIS)[:, None] * AXIS, axis=1)
    assert across.max() < 1.3 * stenosed(depth)(10.3)


def test_values_run_linearly_along_the_wall():
    tree = fork()
    s = path_length_mm(tree)
    surface = lumen_surface([tree])
    values = values_on_surface(surface, [tree], [s])
    trunk = surface.points_mm @ AXIS
    below = trunk < 9.0  # before the bifurcation
    assert values[below] == pytest.approx(np.maximum(trunk[below], 0.0), abs=1e-6)
    assert values.max() == pytest.approx(24.0, abs=1e-6)


def test_values_come_from_the_vessel_whose_wall_it_is():
    # a thin vessel beside a wide one: its wall is nearer to the wide one's axis than ...
    wide, thin = tube(2.5), tube(0.5)
    side = np.cross(AXIS, [0.0, 0.0, 1.0])
    side /= np.linalg.norm(side)
    beside = VesselTree(thin.points_mm + 3.4 * side, thin.radius_mm, thin.parent)
    surface = lumen_surface([wide, beside])
    values = values_on_surface(
        surface, [wide, beside], [np.zeros(len(wide)), np.ones(len(beside))]
    )
    # ... to its own: the nearest axis would be wrong here, as half of 3.4 mm is below 2.5
    across = (surface.points_mm - wide.points_mm[0]) @ side
    assert np.array_equal(values == 1.0, across > 2.7)


def test_what_is_not_analysed_stays_empty_on_the_surface():
    tree = tube(1.0)
    values = np.linspace(1.0, 0.8, len(tree))
    values[path_length_mm(tree) > 10.0] = np.nan
    surface = lumen_surface([tree])
    along = (surface.points_mm - tree.points_mm[0]) @ AXIS
    on_wall = values_on_surface(surface, [tree], [values])
    assert np.all(np.isnan(on_wall[along > 10.01]))
    assert np.all(np.isfinite(on_wall[along < 9.99]))


def test_wrong_input_is_refused_by_name():
    tree = tube(1.0)
    with pytest.raises(GeometryError, match="no vessel tree"):
        lumen_surface([])
    with pytest.raises(GeometryError, match=r"spacing_mm is 0, must be 0\.1 to 1"):
        lumen_surface([tree], spacing_mm=0.0)
    surface = lumen_surface([tree], spacing_mm=1.0)
    with pytest.raises(GeometryError, match=r"values have shape \(3,\), their tree has 41"):
        values_on_surface(surface, [tree], [np.zeros(3)])
    with pytest.raises(GeometryError, match="1 trees need as many arrays of values, not 2"):
        values_on_surface(surface, [tree], [np.zeros(41)] * 2)
    away = VesselTree(tree.points_mm + 50.0, tree.radius_mm, tree.parent)
    with pytest.raises(
        GeometryError, match=r"point 0 lies more than 1\.5 mm from every vessel"
    ):
        values_on_surface(surface, [away], [np.zeros(41)])
    with pytest.raises(GeometryError, match="triangles name points 0 to 3, there are 3"):
        Surface(np.zeros((3, 3)), [[0, 1, 3]], [0])
    with pytest.raises(GeometryError, match="face_label has shape"):
        Surface(np.zeros((3, 3)), [[0, 1, 2]], [0, 1])
