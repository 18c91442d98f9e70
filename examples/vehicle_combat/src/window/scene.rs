//! The arena as it is drawn: floor, walls, obstacles, ramps, spawn pads, and a skyline beyond the walls.

use bevy::light::NotShadowCaster;
use bevy::prelude::*;

use super::solid::{corner, extruded, ground};
use crate::arena::{Arena, Obstacle, Ramp};

/// Edge of a floor tile, in metres.
const TILE: f32 = 8.0;
/// Width of the glowing line between tiles.
const LINE: f32 = 0.10;

const TEAL: LinearRgba = LinearRgba::rgb(0.05, 0.75, 0.85);
const MAGENTA: LinearRgba = LinearRgba::rgb(0.95, 0.10, 0.55);
const AMBER: LinearRgba = LinearRgba::rgb(1.0, 0.45, 0.06);

type Meshes<'a> = &'a mut Assets<Mesh>;
type Materials<'a> = &'a mut Assets<StandardMaterial>;

/// A surface that is not shiny.
pub(super) fn surface(color: Color) -> StandardMaterial {
    StandardMaterial { base_color: color, perceptual_roughness: 0.85, reflectance: 0.25, ..default() }
}

/// A surface that shines by itself, `strength` times as bright as its colour.
pub(super) fn glowing(color: LinearRgba, strength: f32) -> StandardMaterial {
    StandardMaterial { base_color: Color::BLACK, emissive: color * strength, ..default() }
}

/// Spawns everything that stands still.
pub(super) fn spawn_arena(
    mut commands: Commands,
    arena: Res<Arena>,
    mut meshes: ResMut<Assets<Mesh>>,
    mut materials: ResMut<Assets<StandardMaterial>>,
) {
    spawn_floor(&mut commands, &mut meshes, &mut materials, arena.half_size());
    spawn_walls(&mut commands, &mut meshes, &mut materials, &arena.walls());
    spawn_obstacles(&mut commands, &mut meshes, &mut materials, &arena.obstacles);
    spawn_ramps(&mut commands, &mut meshes, &mut materials, &arena.ramps);
    spawn_pads(&mut commands, &mut meshes, &mut materials, &arena);
    spawn_skyline(&mut commands, &mut meshes, &mut materials, arena.half_size().max_element());
}

/// Tiles and the lines between them lie side by side in one plane: lines on top of tiles would flicker at a distance.
fn spawn_floor(commands: &mut Commands, meshes: Meshes, materials: Materials, half: Vec2) {
    let count = (half * 2.0 / TILE).ceil().max(Vec2::ONE).as_ivec2();
    let edge = half * 2.0 / count.as_vec2();
    let (mut dark, mut light, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for row in 0..count.y {
        let z = row as f32 * edge.y - half.y;
        lines.push(Rect::new(-half.x, z, half.x, z + LINE));
        for column in 0..count.x {
            let x = column as f32 * edge.x - half.x;
            lines.push(Rect::new(x, z + LINE, x + LINE, z + edge.y));
            let tile = Rect::new(x + LINE, z + LINE, x + edge.x, z + edge.y);
            if (row + column) % 2 == 0 { dark.push(tile) } else { light.push(tile) }
        }
    }
    let layers = [
        (dark, surface(Color::srgb(0.105, 0.110, 0.135))),
        (light, surface(Color::srgb(0.130, 0.136, 0.165))),
        (lines, glowing(TEAL, 0.28)),
    ];
    for (rectangles, material) in layers {
        commands.spawn((
            Mesh3d(meshes.add(ground(&rectangles))),
            MeshMaterial3d(materials.add(material)),
            Transform::default(),
            NotShadowCaster,
        ));
    }
    // The land around, a little lower, out to where the fog has swallowed it.
    let far = half.max_element() + 600.0;
    commands.spawn((
        Mesh3d(meshes.add(ground(&[Rect::new(-far, -far, far, far)]))),
        MeshMaterial3d(materials.add(surface(Color::srgb(0.075, 0.062, 0.070)))),
        Transform::from_xyz(0.0, -0.4, 0.0),
        NotShadowCaster,
    ));
}

fn spawn_walls(commands: &mut Commands, meshes: Meshes, materials: Materials, walls: &[Obstacle]) {
    let concrete = materials.add(surface(Color::srgb(0.20, 0.19, 0.22)));
    let glows = [TEAL, MAGENTA].map(|color| materials.add(glowing(color, 2.2)));
    for wall in walls {
        let size = wall.half_extents * 2.0;
        let pose = Transform::from_translation(wall.center).with_rotation(wall.rotation());
        commands.spawn((Mesh3d(meshes.add(Cuboid::from_size(size))), MeshMaterial3d(concrete.clone()), pose));
        let strip = Cuboid::new(size.x + 0.06, 0.18, size.z + 0.06);
        let across = usize::from(size.x < size.z);
        commands.spawn((
            Mesh3d(meshes.add(strip)),
            MeshMaterial3d(glows[across].clone()),
            pose * Transform::from_xyz(0.0, wall.half_extents.y - 0.35, 0.0),
            NotShadowCaster,
        ));
    }
}

/// Boxes in the colours of old containers, each with a lit rim.
fn spawn_obstacles(commands: &mut Commands, meshes: Meshes, materials: Materials, obstacles: &[Obstacle]) {
    let paints = [
        Color::srgb(0.48, 0.17, 0.11),
        Color::srgb(0.13, 0.27, 0.36),
        Color::srgb(0.42, 0.31, 0.11),
        Color::srgb(0.24, 0.24, 0.27),
    ]
    .map(|color| materials.add(surface(color)));
    let rims = [AMBER, TEAL, AMBER, MAGENTA].map(|color| materials.add(glowing(color, 0.9)));
    for (index, obstacle) in obstacles.iter().enumerate() {
        let size = obstacle.half_extents * 2.0;
        let pose = Transform::from_translation(obstacle.center).with_rotation(obstacle.rotation());
        commands.spawn((
            Mesh3d(meshes.add(Cuboid::from_size(size))),
            MeshMaterial3d(paints[index % paints.len()].clone()),
            pose,
        ));
        let rim_height = obstacle.half_extents.y - 0.22;
        commands.spawn((
            Mesh3d(meshes.add(Cuboid::new(size.x + 0.06, 0.10, size.z + 0.06))),
            MeshMaterial3d(rims[index % rims.len()].clone()),
            pose * Transform::from_xyz(0.0, rim_height, 0.0),
            NotShadowCaster,
        ));
    }
}

fn spawn_ramps(commands: &mut Commands, meshes: Meshes, materials: Materials, ramps: &[Ramp]) {
    let steel = materials.add(surface(Color::srgb(0.26, 0.27, 0.31)));
    let edge_glow = materials.add(glowing(AMBER, 1.4));
    for ramp in ramps {
        let (side, along, rise) = (ramp.width / 2.0, ramp.length / 2.0, ramp.height);
        let pose = Transform::from_translation(ramp.base).with_rotation(ramp.rotation());
        let wedge = extruded(&[corner(along, 0.0, side), corner(-along, 0.0, side), corner(-along, rise, side)]);
        commands.spawn((Mesh3d(meshes.add(wedge)), MeshMaterial3d(steel.clone()), pose));
        // Lit kerbs show where the slope begins and how wide it is.
        let kerb = meshes.add(Cuboid::new(0.14, 0.08, rise.hypot(ramp.length)));
        let slope = Quat::from_rotation_x(rise.atan2(ramp.length));
        for x in [0.12 - side, side - 0.12] {
            let local = Transform::from_xyz(x, rise / 2.0 + 0.02, 0.0).with_rotation(slope);
            commands.spawn((Mesh3d(kerb.clone()), MeshMaterial3d(edge_glow.clone()), pose * local, NotShadowCaster));
        }
    }
}

fn spawn_pads(commands: &mut Commands, meshes: Meshes, materials: Materials, arena: &Arena) {
    let ring = meshes.add(Torus::new(2.35, 2.50));
    let glow = materials.add(glowing(TEAL, 0.5));
    for spawn in &arena.spawn_points {
        commands.spawn((
            Mesh3d(ring.clone()),
            MeshMaterial3d(glow.clone()),
            Transform::from_xyz(spawn.position.x, 0.02, spawn.position.z).with_scale(Vec3::new(1.0, 0.3, 1.0)),
            NotShadowCaster,
        ));
    }
}

/// Towers and chimneys of the foundry quarter, the same in every window.
fn spawn_skyline(commands: &mut Commands, meshes: Meshes, materials: Materials, half_extent: f32) {
    let mut random = fastrand::Rng::with_seed(7);
    let dark = materials.add(surface(Color::srgb(0.055, 0.045, 0.060)));
    let lit = materials.add(glowing(AMBER, 0.9));
    let beacon = materials.add(glowing(LinearRgba::rgb(1.0, 0.05, 0.03), 3.0));
    let cube = meshes.add(Cuboid::from_length(1.0));
    let lamp = meshes.add(Sphere::new(0.6));
    const TOWERS: usize = 56;
    for index in 0..TOWERS {
        let angle = (index as f32 + random.f32()) / TOWERS as f32 * core::f32::consts::TAU;
        let distance = half_extent * 1.5 + 25.0 + random.f32() * 110.0;
        let at = Vec3::new(angle.cos(), 0.0, angle.sin()) * distance;
        let chimney = random.f32() < 0.3;
        let width = if chimney { 3.0 } else { 8.0 + random.f32() * 14.0 };
        let height = if chimney { 30.0 + random.f32() * 25.0 } else { 8.0 + random.f32() * 26.0 };
        let turn = Quat::from_rotation_y(-angle);
        let mut part = |material: &Handle<StandardMaterial>, offset: Vec3, size: Vec3| {
            commands.spawn((
                Mesh3d(cube.clone()),
                MeshMaterial3d(material.clone()),
                Transform { translation: at + turn * offset, rotation: turn, scale: size },
                NotShadowCaster,
            ));
        };
        part(&dark, Vec3::Y * (height / 2.0), Vec3::new(width, height, width));
        if !chimney {
            // A row of lit windows on the side that looks at the arena.
            for floor in 0..random.usize(0..3) {
                let at_floor = Vec3::new(-width / 2.0, height * (0.35 + 0.2 * floor as f32), 0.0);
                part(&lit, at_floor, Vec3::new(0.2, 0.7, width * 0.7));
            }
        } else {
            commands.spawn((
                Mesh3d(lamp.clone()),
                MeshMaterial3d(beacon.clone()),
                Transform::from_translation(at + Vec3::Y * (height + 0.5)),
                NotShadowCaster,
            ));
        }
    }
}
