//! Arenas that can't be played say so, and where.

use std::path::Path;

use vehicle_combat::arena::{Arena, ArenaError};

const FOUNDRY: &str = include_str!("../../../../assets/arenas/foundry.arena.ron");

fn problem(text: &str) -> String {
    Arena::parse("broken.arena.ron", text).expect_err("the text is no playable arena").to_string()
}

#[test]
fn the_built_in_arena_is_the_asset() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/arenas/foundry.arena.ron");
    assert_eq!(Arena::load(&path).expect("the asset is playable"), Arena::bundled());
}

#[test]
fn a_missing_file_is_named() {
    let error = Arena::load(Path::new("/no/such.arena.ron")).expect_err("there is none");
    assert!(matches!(error, ArenaError::Unreadable { .. }));
    assert!(error.to_string().contains("/no/such.arena.ron"), "{error}");
}

#[test]
fn a_cut_file_names_line_and_column() {
    let cut = &FOUNDRY[..FOUNDRY.len() / 2];
    let problem = problem(cut);
    assert!(problem.contains("broken.arena.ron") && problem.contains("line "), "{problem}");
    assert_eq!(problem.lines().count(), 1, "one sentence: {problem}");
}

#[test]
fn a_wrong_type_names_its_line() {
    let wrong = FOUNDRY.replacen("wall_height: 5.0", "wall_height: \"high\"", 1);
    let line = 1 + wrong.lines().position(|line| line.contains("\"high\"")).expect("it was put there");
    let problem = problem(&wrong);
    assert!(problem.contains(&format!("line {line}")), "{problem}");
}

#[test]
fn an_unknown_field_is_named() {
    let problem = problem(&FOUNDRY.replacen("wall_height", "wall_hight", 1));
    assert!(problem.contains("wall_hight"), "{problem}");
}

#[test]
fn a_spawn_point_outside_the_walls_is_named() {
    let problem = problem(&FOUNDRY.replacen("position: (0.0, 0.0, 52.0)", "position: (0.0, 0.0, 152.0)", 1));
    assert!(problem.contains("spawn_points[0]") && problem.contains("outside"), "{problem}");
}

#[test]
fn a_blocked_spawn_point_names_what_blocks_it() {
    let problem = problem(&FOUNDRY.replacen("position: (0.0, 0.0, 52.0)", "position: (0.0, 0.0, 1.0)", 1));
    assert!(problem.contains("spawn_points[0]") && problem.contains("obstacles[0]"), "{problem}");
}

#[test]
fn an_arena_without_starts_can_not_be_played() {
    let start = FOUNDRY.find("spawn_points: [").expect("the foundry has some") + "spawn_points: [".len();
    let end = start + FOUNDRY[start..].find("    ],").expect("the list ends");
    let problem = problem(&format!("{}\n{}", &FOUNDRY[..start], &FOUNDRY[end..]));
    assert!(problem.contains("spawn_points has 0 entries"), "{problem}");
}
