//! Audiences: components that not everybody who sees an entity is told.
//!
//! What an entity's components may tell whom is decided by lane, and a lane has one [`Audience`], given at registration.
//! For one connection and one entity it comes down to three yes-or-no questions (a [`Relation`]), and the answer is a mask of
//! lanes. It costs a few bit operations, so that it is computed where it is needed and stored nowhere.
//!
//! A lane that is told to a connection no longer stays there as it was told last. A game that must take it back takes the
//! entity out of the connection's sight.

use bevy::prelude::*;

use crate::VisibleTo;

/// Who may receive a component of an entity in sight. The entity's owner always may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Audience {
    /// Everyone who sees the entity.
    #[default]
    Everyone,
    /// Only the connection that owns the entity: ammunition, cards in a hand.
    Owner,
    /// Connections of the entity's [`Team`](crate::Team): the health of one's own side.
    Team,
    /// Connections that the entity's [`Reveal`] names: the cargo of a ship that somebody scanned.
    Revealed,
}

/// To whom an entity shows its components of [`Audience::Revealed`]. Without it, to its owner alone.
///
/// The cases are those of [`VisibleTo`], here about components instead of the entity. To change it, insert it anew.
#[derive(Component, Debug, Clone, PartialEq, Eq, Default)]
#[component(immutable)]
pub struct Reveal(pub VisibleTo);

/// What a connection is to an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Relation {
    pub(crate) owned: bool,
    pub(crate) same_team: bool,
    pub(crate) revealed: bool,
}

/// The lanes of each audience, one bit a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct LaneAudiences {
    everyone: u64,
    owner: u64,
    team: u64,
    revealed: u64,
}

impl LaneAudiences {
    /// The lanes that a connection may be told of an entity.
    pub(crate) fn allowed(&self, relation: Relation) -> u64 {
        let when = |condition: bool, lanes: u64| if condition { lanes } else { 0 };
        self.everyone
            | when(relation.owned, self.owner)
            | when(relation.owned || relation.same_team, self.team)
            | when(relation.owned || relation.revealed, self.revealed)
    }
}

impl FromIterator<Audience> for LaneAudiences {
    /// From the audience of each lane, in the order of their numbers.
    fn from_iter<I: IntoIterator<Item = Audience>>(lanes: I) -> Self {
        let mut audiences = Self::default();
        for (lane, audience) in lanes.into_iter().enumerate().take(u64::BITS as usize) {
            let lanes = match audience {
                Audience::Everyone => &mut audiences.everyone,
                Audience::Owner => &mut audiences.owner,
                Audience::Team => &mut audiences.team,
                Audience::Revealed => &mut audiences.revealed,
            };
            *lanes |= 1 << lane;
        }
        audiences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_audience_hears_its_lanes_and_the_owner_all() {
        let lanes: LaneAudiences =
            [Audience::Everyone, Audience::Owner, Audience::Team, Audience::Revealed, Audience::Everyone]
                .into_iter()
                .collect();
        let stranger = Relation::default();
        assert_eq!(lanes.allowed(stranger), 0b10001);
        assert_eq!(lanes.allowed(Relation { same_team: true, ..stranger }), 0b10101);
        assert_eq!(lanes.allowed(Relation { revealed: true, ..stranger }), 0b11001);
        assert_eq!(lanes.allowed(Relation { owned: true, ..stranger }), 0b11111);
    }

    #[test]
    fn the_sixty_fourth_lane_is_one_too() {
        let lanes: LaneAudiences = [Audience::Owner; 64].into_iter().collect();
        assert_eq!(lanes.allowed(Relation::default()), 0);
        assert_eq!(lanes.allowed(Relation { owned: true, ..Relation::default() }), u64::MAX);
    }
}
