//! A short run of every fuzz target, on stable: the corpus as it is, then seeded mutations of it and noise.
//!
//! What fails prints its input. `SLIPSTREAM_FUZZ_INPUT=TARGET:HEX` runs that one input again and nothing else;
//! `SLIPSTREAM_SEED=N` runs with other mutations.

mod mutation;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use slipstream_tests::fuzz::{TARGETS, Target};

use crate::mutation::Mutations;

const SEED: u64 = 160;

/// One test a target, so that they run side by side, and the names of all of them.
macro_rules! short_runs {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                short_run(stringify!($name));
            }
        )*
    };
}

short_runs! {
    bits quantisers range_coder body_frames manifest handshake datagrams frames codecs
    records_to_server records_to_client inputs feedback messages_to_server messages_to_client hello welcome
}

fn short_run(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("it is among the targets");
    if let Ok(wanted) = env::var("SLIPSTREAM_FUZZ_INPUT") {
        let (wanted, input) = wanted.split_once(':').expect("SLIPSTREAM_FUZZ_INPUT is TARGET:HEX");
        if wanted == name {
            run(target, &bytes_of(input));
        }
        return;
    }
    let corpus = (target.corpus)();
    for input in &corpus {
        run(target, input);
    }
    let mut mutations = Mutations::new(seed(), corpus);
    for _ in 0..target.short_run {
        run(target, &mutations.next_input());
    }
}

/// Runs one input, and tells which it was when it fails.
fn run(target: &Target, input: &[u8]) {
    struct TellOnFailure<'a>(&'a Target, &'a [u8]);

    impl Drop for TellOnFailure<'_> {
        fn drop(&mut self) {
            if std::thread::panicking() {
                let (name, input) = (self.0.name, hex_of(self.1));
                eprintln!(
                    "failed with seed {}; run this input again with SLIPSTREAM_FUZZ_INPUT={name}:{input}",
                    seed()
                );
            }
        }
    }

    let _tell = TellOnFailure(target, input);
    (target.run)(input);
}

fn seed() -> u64 {
    match env::var("SLIPSTREAM_SEED") {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("SLIPSTREAM_SEED is a number, not {text:?}")),
        Err(_) => SEED,
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("hexadecimal digits") as u8;
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| pair.iter().fold(0, |byte, next| (byte << 4) | digit(*next))).collect()
}

fn fuzz_directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

#[test]
fn every_target_is_run_here_and_by_cargo_fuzz() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, NAMES);
    let manifest = fs::read_to_string(fuzz_directory().join("Cargo.toml")).expect("the fuzzing crate has a manifest");
    for name in names {
        let path = format!("fuzz_targets/{name}.rs");
        let source = fs::read_to_string(fuzz_directory().join(&path)).expect("each target has its file");
        assert!(source.contains(&format!("slipstream_tests::fuzz::{name}(")), "{path} runs another target");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{path}\"")), "{name} is not in the manifest");
    }
}

/// Run by hand before `cargo fuzz`, which starts from what is in these folders.
#[test]
#[ignore = "writes files"]
fn write_the_corpora() {
    for target in TARGETS {
        let folder = fuzz_directory().join("corpus").join(target.name);
        fs::create_dir_all(&folder).expect("a folder for the corpus");
        for (number, input) in (target.corpus)().iter().enumerate() {
            fs::write(folder.join(format!("valid-{number}")), input).expect("a file for each input");
        }
    }
}
