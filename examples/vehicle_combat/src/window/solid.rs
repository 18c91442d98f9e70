//! Meshes of simple solids: everything the window draws is made of these and of Bevy's primitives, from no file.

use bevy::asset::RenderAssetUsages;
use bevy::mesh::PrimitiveTopology;
use bevy::prelude::*;

/// A corner of a solid's side profile, in metres: the solid reaches `half_width` to the left and right of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Corner {
    z: f32,
    y: f32,
    half_width: f32,
}

/// A profile corner at `z` (backwards) and `y` (upwards).
pub(super) const fn corner(z: f32, y: f32, half_width: f32) -> Corner {
    Corner { z, y, half_width }
}

/// The convex solid between a side profile and its mirror image, with flat faces. The profile goes round in either direction.
pub(super) fn extruded(profile: &[Corner]) -> Mesh {
    let side = |sign: f32| -> Vec<Vec3> {
        profile.iter().map(|corner| Vec3::new(sign * corner.half_width, corner.y, corner.z)).collect()
    };
    let (left, right) = (side(-1.0), side(1.0));
    let corners = (left.len() + right.len()) as f32;
    let centre = left.iter().chain(&right).sum::<Vec3>() / corners;

    let mut positions = Vec::new();
    push_face(&mut positions, &left, centre);
    push_face(&mut positions, &right, centre);
    for here in 0..left.len() {
        let next = (here + 1) % left.len();
        let side = [left[here], left[next], right[next], right[here]];
        push_face(&mut positions, &side, centre);
    }
    flat_faces(positions)
}

/// Rectangles lying on the ground, facing up. A `Rect`'s y is the world's z.
pub(super) fn ground(rectangles: &[Rect]) -> Mesh {
    let mut positions = Vec::with_capacity(rectangles.len() * 6);
    for rectangle in rectangles {
        let at = |x: f32, z: f32| [x, 0.0, z];
        let (min, max) = (rectangle.min, rectangle.max);
        positions.extend([at(min.x, min.y), at(min.x, max.y), at(max.x, max.y)]);
        positions.extend([at(min.x, min.y), at(max.x, max.y), at(max.x, min.y)]);
    }
    flat_faces(positions)
}

/// A fan over the face's corners; each triangle is turned to look away from the solid's centre.
fn push_face(positions: &mut Vec<[f32; 3]>, corners: &[Vec3], centre: Vec3) {
    for edge in corners[1..].windows(2) {
        let (a, b, c) = (corners[0], edge[0], edge[1]);
        let outward = (b - a).cross(c - a).dot(a - centre) >= 0.0;
        let triangle = if outward { [a, b, c] } else { [a, c, b] };
        positions.extend(triangle.map(|corner| corner.to_array()));
    }
}

fn flat_faces(positions: Vec<[f32; 3]>) -> Mesh {
    Mesh::new(PrimitiveTopology::TriangleList, RenderAssetUsages::default())
        .with_inserted_attribute(Mesh::ATTRIBUTE_POSITION, positions)
        .with_computed_flat_normals()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(mesh: &Mesh, attribute: bevy::mesh::MeshVertexAttribute) -> Vec<Vec3> {
        let values = mesh.attribute(attribute).and_then(|values| values.as_float3());
        values
            .expect("the mesh has this attribute as three floats")
            .iter()
            .map(|value| Vec3::from_array(*value))
            .collect()
    }

    #[test]
    fn every_face_of_a_wedge_looks_outwards() {
        let wedge = extruded(&[corner(2.0, 0.0, 1.5), corner(-2.0, 0.0, 1.5), corner(-2.0, 1.0, 1.5)]);
        let positions = vectors(&wedge, Mesh::ATTRIBUTE_POSITION);
        let normals = vectors(&wedge, Mesh::ATTRIBUTE_NORMAL);
        let centre = positions.iter().sum::<Vec3>() / positions.len() as f32;
        assert_eq!(positions.len(), 3 * (2 + 3 * 2));
        for (position, normal) in positions.iter().zip(&normals) {
            assert!(normal.dot(*position - centre) > 0.0);
        }
    }

    #[test]
    fn the_ground_faces_up() {
        let mesh = ground(&[Rect::new(-1.0, -1.0, 1.0, 1.0)]);
        for normal in vectors(&mesh, Mesh::ATTRIBUTE_NORMAL) {
            assert_eq!(normal, Vec3::Y);
        }
    }
}
