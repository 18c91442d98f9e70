//! What replication promises, one verb a file, over the simulated network with a virtual clock.

mod audience;
mod bodies;
mod budget;
mod copies;
mod despawn;
mod hierarchy;
mod host;
mod inputs;
mod insert_remove;
mod interest;
mod join;
mod late_join;
mod loss;
mod model;
mod mutate;
mod over_renet;
mod ownership;
mod quantised;
mod reconnect;
mod references;
mod scene;
mod slots;
mod spawn;
mod take_back;
mod validate;
mod visibility;
