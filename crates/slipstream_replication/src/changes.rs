//! Which components changed: Bevy notes when, and the notes of a table lie side by side.
//!
//! A world where nothing changes is gone through in every tick. `Changed` asks row by row; here a block of rows is passed
//! over at once.

use bevy::ecs::change_detection::Tick;
use bevy::ecs::system::SystemChangeTick;

/// Rows that are looked at together.
const BLOCK: usize = 64;

/// Visits the rows of a table in which one of several components changed since the system ran last. Each has its ticks,
/// one a row.
#[inline]
pub(crate) fn visit_changed<const N: usize>(
    components: [&[Tick]; N],
    since: &SystemChangeTick,
    mut visit: impl FnMut(usize),
) {
    let (last_run, this_run) = (since.last_run(), since.this_run());
    let rows = components.iter().map(|ticks| ticks.len()).min().unwrap_or_default();
    for first in (0..rows).step_by(BLOCK) {
        let block = first..rows.min(first + BLOCK);
        // No early end, so that several are compared in one instruction.
        let any_newer = |ticks: &&[Tick]| {
            ticks[block.clone()].iter().fold(false, |any, tick| any | tick.is_newer_than(last_run, this_run))
        };
        if !components.iter().any(any_newer) {
            continue;
        }
        for row in block {
            if components.iter().any(|ticks| ticks[row].is_newer_than(last_run, this_run)) {
                visit(row);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bevy::prelude::*;

    use super::*;

    #[derive(Component)]
    struct A(usize);

    #[derive(Component)]
    struct B;

    #[derive(Resource, Default)]
    struct Visited(Vec<usize>);

    fn note_visits(table: Query<(Ref<A>, Ref<B>)>, since: SystemChangeTick, mut visited: ResMut<Visited>) {
        visited.0.clear();
        for (a, b) in table.contiguous_iter().expect("both are in tables") {
            let (a_ticks, b_ticks) = (a.changed_ticks_slice(), b.changed_ticks_slice());
            let rows = a.into_inner();
            visit_changed([a_ticks, b_ticks], &since, |row| visited.0.push(rows[row].0));
        }
    }

    #[test]
    fn rows_of_which_any_component_changed_are_visited() {
        let mut app = App::new();
        app.init_resource::<Visited>().add_systems(Update, note_visits);
        let entities: Vec<Entity> = (0..1_000).map(|number| app.world_mut().spawn((A(number), B)).id()).collect();
        app.update();
        assert_eq!(app.world().resource::<Visited>().0.len(), 1_000, "all are new");
        app.update();
        assert!(app.world().resource::<Visited>().0.is_empty());
        app.world_mut().get_mut::<A>(entities[3]).expect("it is there").set_changed();
        app.world_mut().get_mut::<B>(entities[999]).expect("it is there").set_changed();
        app.update();
        assert_eq!(app.world().resource::<Visited>().0, [3, 999]);
    }
}
