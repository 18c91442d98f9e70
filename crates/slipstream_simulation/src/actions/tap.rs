//! Presses that begin and end between two ticks, and the end of edges.

use core::marker::PhantomData;

use bevy::prelude::*;
use leafwing_input_manager::action_state::ActionState;
use leafwing_input_manager::buttonlike::ButtonState;

use crate::actions::NetworkActions;
use crate::ownership::Controlled;

/// What the buttons of a controlled entity did at the last tick.
#[derive(Component)]
pub(crate) struct Taps<A: NetworkActions> {
    buttons: Vec<Button>,
    actions: PhantomData<fn() -> A>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Button {
    /// Pressed at the last tick.
    pressed: bool,
    /// Pressed and released since: the press is still owed to a tick.
    tapped: bool,
}

impl<A: NetworkActions> Taps<A> {
    fn new() -> Self {
        Self { buttons: vec![Button::default(); A::actions().len()], actions: PhantomData }
    }
}

pub(crate) fn attach_taps<A: NetworkActions>(
    untracked: Query<Entity, (With<ActionState<A>>, With<Controlled>, Without<Taps<A>>)>,
    mut commands: Commands,
) {
    for entity in &untracked {
        commands.entity(entity).try_insert(Taps::<A>::new());
    }
}

/// Makes a press of one tick from a tap that leafwing shows only as a release.
pub(crate) fn latch_taps<A: NetworkActions>(
    mut controlled: Query<(&mut ActionState<A>, &mut Taps<A>), With<Controlled>>,
) {
    for (mut actions, mut taps) in &mut controlled {
        for (action, button) in A::actions().iter().zip(&mut taps.buttons) {
            if actions.action_disabled(action) {
                continue;
            }
            // Axes have no button data.
            let Some(data) = actions.button_data_mut(action) else {
                continue;
            };
            // Just released, but it was not pressed at the last tick: there was a press between.
            if data.state == ButtonState::JustReleased && !button.pressed {
                button.tapped = true;
            }
            if button.tapped {
                data.state = ButtonState::JustPressed;
                data.value = 1.0;
            }
        }
    }
}

/// Ends what was true for this tick only, also on entities that neither a player nor a connection controls: a server's own
/// bots press buttons too.
///
/// leafwing does the same where its plugin is there; doing it twice changes nothing.
pub(crate) fn settle_actions<A: NetworkActions>(
    mut tracked: Query<(&mut ActionState<A>, &mut Taps<A>)>,
    mut others: Query<&mut ActionState<A>, Without<Taps<A>>>,
) {
    for (mut actions, mut taps) in &mut tracked {
        for (action, button) in A::actions().iter().zip(&mut taps.buttons) {
            let Some(data) = actions.button_data_mut(action) else {
                continue;
            };
            button.pressed = data.state.pressed();
            if core::mem::take(&mut button.tapped) {
                data.state = ButtonState::Released;
                data.value = 0.0;
            } else {
                data.state.tick();
            }
        }
    }
    for mut actions in &mut others {
        for action in A::actions() {
            if let Some(data) = actions.button_data_mut(action) {
                data.state.tick();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use leafwing_input_manager::Actionlike;

    use super::*;

    #[derive(Actionlike, Clone, Copy, Debug, PartialEq, Eq, Hash, Reflect)]
    enum Action {
        #[actionlike(Axis)]
        Throttle,
        Fire,
    }

    impl NetworkActions for Action {
        fn actions() -> &'static [Self] {
            &[Self::Throttle, Self::Fire]
        }
    }

    struct Player {
        app: App,
        entity: Entity,
    }

    impl Player {
        fn new() -> Self {
            let mut app = App::new();
            app.add_systems(PreUpdate, latch_taps::<Action>)
                .add_systems(PostUpdate, settle_actions::<Action>)
                .add_systems(Update, record);
            app.init_resource::<Seen>();
            let entity =
                app.world_mut().spawn((ActionState::<Action>::default(), Controlled, Taps::<Action>::new())).id();
            Self { app, entity }
        }

        fn act(&mut self, act: impl FnOnce(&mut ActionState<Action>)) {
            let mut entity = self.app.world_mut().entity_mut(self.entity);
            act(&mut entity.get_mut::<ActionState<Action>>().unwrap());
        }

        /// One tick; was the button down in it?
        fn tick(&mut self) -> bool {
            self.app.update();
            self.app.world().resource::<Seen>().0
        }
    }

    #[derive(Resource, Default)]
    struct Seen(bool);

    fn record(actions: Single<&ActionState<Action>>, mut seen: ResMut<Seen>) {
        seen.0 = actions.pressed(&Action::Fire);
    }

    #[test]
    fn a_tap_between_two_ticks_is_a_press_of_one_tick() {
        let mut player = Player::new();
        assert!(!player.tick());
        player.act(|actions| actions.press(&Action::Fire));
        player.act(|actions| actions.release(&Action::Fire));
        assert!(player.tick());
        assert!(!player.tick());
        assert!(!player.tick());
    }

    #[test]
    fn a_held_button_stays_down_and_a_release_is_no_tap() {
        let mut player = Player::new();
        player.act(|actions| actions.press(&Action::Fire));
        assert!(player.tick());
        assert!(player.tick());
        player.act(|actions| actions.release(&Action::Fire));
        assert!(!player.tick());
        assert!(!player.tick());
    }

    #[test]
    fn a_state_that_is_made_anew_each_tick_works_as_well() {
        let mut player = Player::new();
        for _ in 0..3 {
            player.act(|actions| {
                *actions = ActionState::default();
                actions.press(&Action::Fire);
                actions.set_value(&Action::Throttle, 1.0);
            });
            assert!(player.tick());
        }
        player.act(|actions| *actions = ActionState::default());
        assert!(!player.tick());
    }

    #[test]
    fn a_button_that_a_servers_bot_holds_is_just_pressed_once() {
        let mut app = App::new();
        app.add_systems(PostUpdate, settle_actions::<Action>);
        let bot = app.world_mut().spawn(ActionState::<Action>::default()).id();
        for tick in 0..3 {
            let mut entity = app.world_mut().entity_mut(bot);
            let mut actions = entity.get_mut::<ActionState<Action>>().unwrap();
            actions.press(&Action::Fire);
            assert_eq!(actions.just_pressed(&Action::Fire), tick == 0);
            app.update();
        }
    }

    #[test]
    fn a_disabled_button_owes_no_press() {
        let mut player = Player::new();
        player.act(|actions| {
            actions.press(&Action::Fire);
            actions.disable_action(&Action::Fire);
        });
        assert!(!player.tick());
    }
}
