//! A real `kill -9` in the middle of a load.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use clisonix_store::{Batch, Store, StoreOptions, Table};

use crate::disk::Dice;

const CHILD: &str = "CLISONIX_STORE_KILL_CHILD";
const WRITERS: u64 = 4;

#[test]
fn what_a_killed_process_acknowledged_is_there() {
    if let Some(directory) = std::env::var_os(CHILD) {
        return write_until_killed(Path::new(&directory));
    }
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    drop(Store::create(&directory, [1; 16], &StoreOptions::default()).unwrap());
    let mut dice = Dice(7);
    let mut acknowledged = Vec::new();
    for _ in 0..5 {
        acknowledged.extend(killed_load(&directory, 30 + dice.roll(250)));
        let store = Store::open(&directory, &StoreOptions::default()).unwrap();
        assert!(store.check().unwrap().is_sound());
        let snapshot = store.snapshot().unwrap();
        for key in &acknowledged {
            let found = snapshot.value(Table::Index, key.as_bytes()).unwrap();
            assert!(found.is_some_and(|value| value.len() == 700), "{key} is lost");
        }
    }
    assert!(acknowledged.len() > 20, "only {} writes before the kills", acknowledged.len());
}

/// Runs a child for a while after its first acknowledgement; what it acknowledged.
fn killed_load(directory: &Path, lifetime_ms: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::what_a_killed_process_acknowledged_is_there", "--nocapture"])
        .env(CHILD, directory)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut keys = Vec::new();
    while keys.is_empty() {
        let line = lines.next().expect("the child wrote nothing").unwrap();
        keys.extend(line.strip_prefix("ack ").map(str::to_owned));
    }
    let reader = std::thread::spawn(move || {
        // The last line may be cut by the kill; only whole ones count.
        let whole = lines.map_while(Result::ok).filter(|line| line.ends_with('.'));
        whole.filter_map(|line| line.strip_prefix("ack ").map(str::to_owned)).collect::<Vec<_>>()
    });
    std::thread::sleep(Duration::from_millis(lifetime_ms));
    child.kill().unwrap();
    child.wait().unwrap();
    keys.extend(reader.join().unwrap());
    keys
}

fn write_until_killed(directory: &Path) {
    let store = Store::open(directory, &StoreOptions::default()).unwrap();
    let process = std::process::id();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = &store;
            scope.spawn(move || {
                for number in 0_u64.. {
                    let key = format!("{process}-{writer}-{number}.");
                    let mut batch = Batch::new();
                    batch.put(Table::Index, key.as_bytes(), vec![5; 700]).unwrap();
                    batch.change("p-1", vec![6; 300]).unwrap();
                    store.write(batch).unwrap();
                    let line = format!("\nack {key}\n");
                    std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                }
            });
        }
    });
}
