use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

/// The smallest unit that a disk writes whole, bytes.
pub(crate) const SECTOR_BYTES: usize = 512;

/// A file of a fixed size as a kernel keeps it: what reads see, and what is on the disk.
///
/// Sectors that differ are dirty, and reach the disk with the next sync or in part with a
/// power cut; or they are taken for clean although they are not on the disk, which is what
/// a failed sync leaves.
#[derive(Clone, Debug)]
pub(crate) struct SimFile {
    seen: Vec<u8>,
    on_disk: Vec<u8>,
    /// Sectors that may differ, and whether the kernel still means to write them.
    unequal: BTreeMap<usize, bool>,
}

impl SimFile {
    /// A file with this content, all of it on the disk.
    pub(crate) fn new(content: Vec<u8>) -> SimFile {
        SimFile { on_disk: content.clone(), seen: content, unequal: BTreeMap::new() }
    }

    /// What reads see.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.seen
    }

    /// Writes into the cache.
    pub(crate) fn write(&mut self, offset: usize, bytes: &[u8]) {
        if !bytes.is_empty() {
            let end = offset + bytes.len();
            self.seen[offset..end].copy_from_slice(bytes);
            self.unequal.extend((offset / SECTOR_BYTES..=(end - 1) / SECTOR_BYTES).map(|at| (at, true)));
        }
    }

    /// Everything dirty reaches the disk.
    pub(crate) fn sync(&mut self) {
        let dirty: Vec<usize> = self.dirty().collect();
        for sector in dirty {
            let range = self.range(sector);
            self.on_disk[range.clone()].copy_from_slice(&self.seen[range]);
            self.unequal.remove(&sector);
        }
    }

    /// Of what is dirty some reaches the disk, and all of it is taken for clean.
    pub(crate) fn fail_sync(&mut self, rng: &mut ChaCha8Rng) {
        let dirty: Vec<usize> = self.dirty().collect();
        for sector in dirty {
            if rng.random() {
                let range = self.range(sector);
                self.on_disk[range.clone()].copy_from_slice(&self.seen[range]);
                self.unequal.remove(&sector);
            } else {
                self.unequal.insert(sector, false);
            }
        }
    }

    /// All of what is dirty is taken for clean, and nothing of it is on the disk.
    pub(crate) fn lie(&mut self) {
        self.unequal.values_mut().for_each(|dirty| *dirty = false);
    }

    /// Power is cut: of what is dirty any sectors reach the disk, one of them torn. Reads
    /// see what is there.
    pub(crate) fn cut_power(&mut self, rng: &mut ChaCha8Rng) {
        let kept = [0.0, 0.5, 0.9, 1.0][rng.random_range(0..4)];
        for (sector, dirty) in std::mem::take(&mut self.unequal) {
            let mut range = self.range(sector);
            if dirty && rng.random_bool(kept) {
                if rng.random_bool(0.1) {
                    range.end = rng.random_range(range.clone());
                }
                self.on_disk[range.clone()].copy_from_slice(&self.seen[range]);
            }
            let range = self.range(sector);
            self.seen[range.clone()].copy_from_slice(&self.on_disk[range]);
        }
    }

    /// Changes bytes on the disk behind everybody's back.
    pub(crate) fn damage(&mut self, offset: usize, bytes: &[u8]) {
        for place in [&mut self.seen, &mut self.on_disk] {
            place[offset..offset + bytes.len()].copy_from_slice(bytes);
        }
    }

    fn dirty(&self) -> impl Iterator<Item = usize> {
        self.unequal.iter().filter(|(_, dirty)| **dirty).map(|(sector, _)| *sector)
    }

    fn range(&self, sector: usize) -> Range<usize> {
        sector * SECTOR_BYTES..((sector + 1) * SECTOR_BYTES).min(self.seen.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn what_was_synced_survives_and_a_failed_sync_is_found_out_by_a_power_cut_only() {
        let mut lost_count = 0;
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut file = SimFile::new(vec![0; 4096]);
            file.write(100, &[1; 1000]);
            file.sync();
            file.write(1100, &[2; 1000]);
            file.fail_sync(&mut rng);
            file.write(3000, &[3; 10]);
            file.sync();
            assert!(file.bytes()[1100..2100] == [2; 1000], "the cache has it");
            file.cut_power(&mut rng);
            assert!(file.bytes()[100..1024] == [1; 924] && file.bytes()[3000..3010] == [3; 10]);
            lost_count += u32::from(file.bytes()[1100..2100] != [2; 1000]);
        }
        assert!((100..200).contains(&lost_count), "{lost_count}");
    }

    #[test]
    fn what_is_written_again_is_dirty_again() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut file = SimFile::new(vec![0; 1024]);
        file.write(0, &[1; 600]);
        file.lie();
        file.write(0, &[1; 600]);
        file.sync();
        file.cut_power(&mut rng);
        assert_eq!(file.bytes()[..600], [1; 600]);
    }
}
