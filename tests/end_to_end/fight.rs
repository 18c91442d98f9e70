//! A server and bots on a bad network: all see the same fight.

use std::time::Duration;

use vehicle_combat::statistics::{PlayerSample, Sample};

use crate::process::Game;

const BAD_NETWORK: [&str; 4] = ["--latency-ms", "50", "--loss-percent", "5"];
const SOON: Duration = Duration::from_secs(20);

fn player<'a>(sample: &'a Sample, name: &str) -> Option<&'a PlayerSample> {
    sample.players.iter().find(|player| player.name == name)
}

fn distance(a: &PlayerSample, b: &PlayerSample) -> f32 {
    let squares = a.position.iter().zip(b.position).map(|(a, b)| (a - b) * (a - b));
    squares.sum::<f32>().sqrt()
}

/// How far a player drove, as one process saw it.
fn path(samples: &[Sample], name: &str) -> f32 {
    let places: Vec<_> = samples.iter().filter_map(|sample| player(sample, name)).collect();
    places.windows(2).map(|two| distance(two[0], two[1])).sum()
}

/// The two views of one player at the same tick, give or take two.
fn at_the_same_tick<'a>(
    server: &'a [Sample],
    client: &'a [Sample],
    name: &'a str,
) -> impl Iterator<Item = (&'a PlayerSample, &'a PlayerSample)> {
    client.iter().filter_map(move |sample| {
        let twin = server.iter().find(|twin| twin.tick.abs_diff(sample.tick) <= 2)?;
        Some((player(twin, name)?, player(sample, name)?))
    })
}

#[test]
fn all_see_the_same_fight_and_a_latecomer_and_a_crash() {
    let (mut server, address) = Game::server(&["--seed", "7"]);
    let mut anna = Game::bot(address, "Anna", &[&["--seed", "11"], &BAD_NETWORK[..]].concat());
    let mut ben = Game::bot(address, "Ben", &[&["--seed", "12"], &BAD_NETWORK[..]].concat());
    server.wait_for("two players", SOON, |sample| sample.players.len() == 2);

    std::thread::sleep(Duration::from_secs(6));
    let mut late = Game::bot(address, "Late", &[&["--seed", "13"], &BAD_NETWORK[..]].concat());
    let seen = late.wait_for("the latecomer sees everyone", SOON, |sample| sample.players.len() == 3);
    assert!(seen.players.iter().any(|player| player.name == "Late" && player.own));
    anna.wait_for("the others see the latecomer", SOON, |sample| player(sample, "Late").is_some());
    std::thread::sleep(Duration::from_secs(3));

    late.kill();
    server.wait_for("the crashed player's vehicle leaves", SOON, |sample| player(sample, "Late").is_none());
    ben.wait_for("everyone sees it leave", SOON, |sample| player(sample, "Late").is_none());
    std::thread::sleep(Duration::from_secs(4));

    for (name, bot) in [("Anna", &mut anna), ("Ben", &mut ben)] {
        bot.terminate();
        assert!(bot.wait(SOON).success(), "{name} ended badly: {}", bot.errors());
    }
    server.wait_for("an empty arena", SOON, |sample| sample.players.is_empty());
    server.terminate();
    assert!(server.wait(SOON).success(), "the server ended badly: {}", server.errors());

    let truth = server.samples();
    for (viewer, bot) in [("Anna", &anna), ("Ben", &ben)] {
        let seen = bot.samples();
        let connection = &seen.last().expect("samples").connections[0];
        assert!(connection.rtt_ms >= 95.0, "{viewer}'s RTT over 50 ms each way is {} ms", connection.rtt_ms);
        for name in ["Anna", "Ben"] {
            let driven = path(&truth, name);
            assert!(driven > 30.0, "{name} drove {driven} m in the server's world");
            let pairs: Vec<_> = at_the_same_tick(&truth, &seen, name).collect();
            assert!(pairs.len() >= 10, "{viewer} has {} samples of {name} to compare", pairs.len());
            // One tick at full speed is 0.4 m, and a lost datagram makes the newest state one or two ticks old.
            let near = pairs.iter().filter(|(truth, seen)| distance(truth, seen) < 1.5).count();
            assert!(
                near * 10 >= pairs.len() * 9,
                "{viewer} saw {name} elsewhere: {near} of {} samples agree",
                pairs.len()
            );
            let agreed = pairs.iter().filter(|(truth, seen)| {
                (truth.kills, truth.deaths, truth.damage) == (seen.kills, seen.deaths, seen.damage)
            });
            let agreed = agreed.count();
            assert!(agreed * 10 >= pairs.len() * 7, "{viewer} agrees on {name}'s score in {agreed} of {}", pairs.len());
        }
    }
    let most = |name| truth.iter().filter_map(|sample| player(sample, name)).map(|player| player.damage).max();
    assert!(
        most("Anna").max(most("Ben")) > Some(0),
        "nobody hit anybody: {most:?}",
        most = (most("Anna"), most("Ben"))
    );
    // At rest nothing moves any more: what was seen last of the scores is what was true.
    let last = |samples: &[Sample]| samples.iter().rev().find(|sample| sample.players.len() == 2).cloned();
    let (truth, seen) = (last(&truth).expect("a sample"), last(&anna.samples()).expect("a sample"));
    for name in ["Anna", "Ben"] {
        let (truth, seen) = (player(&truth, name).expect("there"), player(&seen, name).expect("there"));
        assert!(truth.kills.abs_diff(seen.kills) <= 1 && truth.deaths.abs_diff(seen.deaths) <= 1, "{truth:?} {seen:?}");
    }
}
