use super::*;
use crate::calls::Interruption;
use crate::image::Rot;

fn disk(seed: u64) -> Disk {
    let mut disk = Disk::new(0, 1024, seed);
    disk.recover().expect("an empty disk");
    disk
}

fn write(disk: &mut Disk) {
    if disk.begin_write() {
        disk.finish_write().expect("nothing fails");
    }
}

#[test]
fn what_was_synced_survives_every_crash_and_nothing_else_is_made_up() {
    let mut cached_count = 0;
    for seed in 0..2_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut disk = disk(seed);
        for _ in 0..rng.random_range(1..6) {
            for _ in 0..rng.random_range(0..20) {
                let record = vec![rng.random::<u8>() | 1; rng.random_range(1..60)];
                disk.append(&record);
                if rng.random_bool(0.2) {
                    write(&mut disk);
                    if rng.random() {
                        disk.seal().expect("nothing fails");
                    }
                }
            }
            disk.begin_write();
            let durable = disk.durable();
            disk.crash(rng.random());
            let recovered = disk.recover().unwrap_or_else(|why| panic!("seed {seed}: {why:?}"));
            assert_eq!(disk.judge(&recovered, durable), None, "seed {seed}");
            cached_count += u32::from(recovered.end > durable);
        }
    }
    assert!(cached_count > 100, "{cached_count}");
}

/// Whatever goes wrong in a log is noticed, or harmless.
#[test]
fn rot_is_noticed_or_harmless() {
    for rot in [Rot::Flip, Rot::Lost, Rot::Misdirected] {
        let mut noticed = 0;
        for seed in 0..2_000 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut disk = disk(seed);
            for number in 0..40_u8 {
                disk.append(&[number; 30]);
                if number % 5 == 4 {
                    write(&mut disk);
                }
            }
            let durable = disk.durable();
            disk.crash(true);
            let what = disk.image.rot(disk.identity(), rot, &mut rng).expect("a log");
            match disk.recover() {
                Err(_) => noticed += 1,
                Ok(recovered) => assert_eq!(disk.judge(&recovered, durable), None, "seed {seed} {what}"),
            }
        }
        assert!(noticed > 1_000, "{rot:?}: {noticed}");
    }
}

/// Every call of a short life, interrupted in every way; then the disk is read again.
#[test]
fn every_interrupted_call_leaves_what_was_synced() {
    for how in Interruption::ALL {
        let reached = (1..).find(|number| !live(*number, how)).expect("a life ends");
        assert!(reached > 40, "{how:?}: {reached} calls");
    }
}

/// Whether the call was reached.
fn live(number: u64, how: Interruption) -> bool {
    let mut disk = Disk::new(0, 1024, number);
    disk.calls.interruption = Some((number, how));
    let mut durable = 0;
    let ends = |disk: &mut Disk, stop: Stop, durable| {
        disk.calls.is_full = false;
        disk.crash(stop == Stop::Dies { power_cut: true });
        let recovered = disk.recover().unwrap_or_else(|why| panic!("call {number} {how:?}: {why:?}"));
        assert_eq!(disk.judge(&recovered, durable), None, "call {number} {how:?}");
        disk.durable()
    };
    if let Err(Unstarted::Stopped(stop)) = disk.recover() {
        durable = ends(&mut disk, stop, durable);
    }
    for step in 0..30_u8 {
        disk.append(&[step | 1; 40]);
        disk.begin_write();
        let done = disk.finish_write().and_then(|()| if step % 7 == 0 { disk.seal() } else { Ok(()) });
        let done = done.and_then(|()| {
            durable = disk.durable();
            if disk.is_space_short() {
                disk.calls.is_full = false;
            }
            if step % 10 != 9 { Ok(()) } else { save(&mut disk) }
        });
        if let Err(stop) = done {
            durable = ends(&mut disk, stop, durable);
        }
    }
    disk.calls.interrupted
}

fn save(disk: &mut Disk) -> Result<(), Stop> {
    let position = disk.durable();
    let writer = isegoria_log::CheckpointWriter::new(Vec::new(), disk.identity(), position);
    let bytes = writer.and_then(isegoria_log::CheckpointWriter::finish).expect("writing into memory");
    disk.save(position, bytes, Applied::default())
}

#[test]
fn a_sync_that_lies_is_found_out_by_the_judge() {
    let mut disk = disk(7);
    disk.calls.lying_syncs = 1;
    disk.append(b"one");
    write(&mut disk);
    let durable = disk.durable();
    disk.crash(true);
    let recovered = disk.recover().expect("it looks like a torn write");
    assert!(disk.judge(&recovered, durable).is_some());
}

#[test]
fn records_that_are_missing_or_changed_are_found() {
    let mut disk = disk(1);
    disk.append(b"one");
    disk.append(b"two");
    write(&mut disk);
    let durable = disk.durable();
    let recovered = disk.recover().expect("a sound log");
    let missing = Recovered { records: recovered.records[..1].to_vec(), ..recovered.clone() };
    assert!(disk.clone().judge(&missing, durable).is_some());
    let changed = Recovered { records: vec![b"one".to_vec(), b"2".to_vec()], ..recovered.clone() };
    assert!(disk.clone().judge(&changed, durable).is_some());
    let phantom = Recovered { records: vec![vec![1]; 3], ..recovered };
    assert!(disk.judge(&phantom, durable).is_some());
}

/// A repair whose sync fails leaves zeros in the cache over what a torn write left on the
/// disk. The next start sees nothing to repair; what is there must not come back later.
#[test]
fn what_a_repair_cut_off_does_not_come_back() {
    for seed in 0..5_000 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut disk = Disk::new(0, 8192, seed);
        let mut durable = 0;
        for _ in 0..12 {
            disk.calls.failing_syncs = rng.random_range(0..2);
            let recovered = loop {
                match disk.recover() {
                    Ok(recovered) => break recovered,
                    Err(Unstarted::Stopped(_)) => disk.crash(rng.random_bool(0.1)),
                    Err(damaged) => panic!("seed {seed}: {damaged:?}"),
                }
            };
            disk.calls.failing_syncs = 0;
            assert_eq!(disk.judge(&recovered, durable), None, "seed {seed}");
            for _ in 0..rng.random_range(1..4) {
                disk.append(&[rng.random::<u8>() | 1; 40]);
                write(&mut disk);
            }
            durable = disk.durable();
            for _ in 0..rng.random_range(0..40) {
                disk.append(&[rng.random::<u8>() | 1; 40]);
            }
            disk.begin_write();
            disk.crash(true);
        }
    }
}
