//! The game on a server without a network and without a clock: every update is one tick.

mod collect;
mod drive;
mod fight;
mod game;
mod join;
mod keep_score;
mod load;
mod shoot;
