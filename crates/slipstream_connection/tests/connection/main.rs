//! Connections, messages and requests, over the in-memory link and over renet, with one `App` per peer and a manual clock.

mod broadcasts;
mod connects;
mod disconnects;
mod fixture;
mod hosts_loop_back;
mod limits;
mod maps_entities;
mod names_what_differs;
mod refuses_when_full;
mod requests;
mod sends;
mod times_out;
