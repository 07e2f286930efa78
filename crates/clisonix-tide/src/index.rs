//! Records by 64-bit numbers that are spread evenly: ids of entries, hashes of names.

use crate::catalogue::Slot;

/// How many ids a bucket holds on average at most.
const BUCKET_IDS: usize = 8;
/// How many times as many buckets there are after growing.
const GROWTH_BITS: u32 = 1;
/// Most bits by which ids are told apart.
const MAX_BITS: u32 = 24;

/// Ids in buckets by their first bits. Hashes fill them evenly, and a record's id stays in its bucket
/// from version to version. A write touches one short stretch of memory, which a tree of a million
/// does not; and who makes hashes fall together makes one bucket longer, in which the search is still
/// by halves.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Ids in ascending order, each with its record.
    buckets: Vec<Vec<(u64, Slot)>>,
    bits: u32,
    len: usize,
}

impl Default for Index {
    fn default() -> Self {
        Self { buckets: vec![Vec::new()], bits: 0, len: 0 }
    }
}

impl Index {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    fn bucket(&self, id: u64) -> usize {
        id.checked_shr(u64::BITS - self.bits).unwrap_or_default() as usize
    }

    /// The record of an id.
    pub(crate) fn get(&self, id: u64) -> Option<Slot> {
        let bucket = self.buckets.get(self.bucket(id))?;
        let place = bucket.binary_search_by_key(&id, |(id, _)| *id).ok()?;
        bucket.get(place).map(|(_, slot)| *slot)
    }

    /// Puts an id in; `false` if it stands for a record already.
    pub(crate) fn insert(&mut self, id: u64, slot: Slot) -> bool {
        if self.len >= self.buckets.len() * BUCKET_IDS && self.bits < MAX_BITS {
            self.grow();
        }
        let number = self.bucket(id);
        let Some(bucket) = self.buckets.get_mut(number) else { return false };
        let Err(place) = bucket.binary_search_by_key(&id, |(id, _)| *id) else { return false };
        bucket.insert(place, (id, slot));
        self.len += 1;
        true
    }

    /// Takes an id out, if it is there.
    pub(crate) fn remove(&mut self, id: u64) {
        let number = self.bucket(id);
        let Some(bucket) = self.buckets.get_mut(number) else { return };
        if let Ok(place) = bucket.binary_search_by_key(&id, |(id, _)| *id) {
            bucket.remove(place);
            self.len -= 1;
        }
    }

    /// Puts an id in place of another one of the same record; `false` if it stands for a record
    /// already, then neither is in.
    pub(crate) fn replace(&mut self, old: u64, new: u64, slot: Slot) -> bool {
        let (number, is_same) = (self.bucket(old), self.bucket(old) == self.bucket(new));
        let bucket = self.buckets.get_mut(number).filter(|_| is_same);
        let Some(bucket) = bucket else {
            self.remove(old);
            return self.insert(new, slot);
        };
        let search = |bucket: &[(u64, Slot)], id| bucket.binary_search_by_key(&id, |(id, _)| *id);
        let Ok(from) = search(bucket, old) else { return self.insert(new, slot) };
        let Err(to) = search(bucket, new) else {
            bucket.remove(from);
            self.len -= 1;
            return false;
        };
        // What lies between the two places moves by one.
        let (to, between) = if from < to {
            (to - 1, bucket.get_mut(from..to).map(|part| part.rotate_left(1)))
        } else {
            (to, bucket.get_mut(to..=from).map(|part| part.rotate_right(1)))
        };
        if let (Some(()), Some(place)) = (between, bucket.get_mut(to)) {
            *place = (new, slot);
        }
        true
    }

    /// Ids in ascending order, from the first or from the one after `after` on.
    pub(crate) fn after(&self, after: Option<u64>) -> impl Iterator<Item = (u64, Slot)> {
        let first = after.map_or(0, |after| self.bucket(after));
        let buckets = self.buckets.get(first..).unwrap_or_default();
        let is_before = move |id: u64| after.is_some_and(|after| id <= after);
        buckets.iter().flatten().copied().skip_while(move |(id, _)| is_before(*id))
    }

    fn grow(&mut self) {
        let old = std::mem::take(&mut self.buckets);
        self.bits += GROWTH_BITS;
        self.buckets.resize_with(1 << self.bits, Vec::new);
        for (id, slot) in old.into_iter().flatten() {
            let number = self.bucket(id);
            if let Some(bucket) = self.buckets.get_mut(number) {
                bucket.push((id, slot));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_holds_what_a_map_holds() {
        let (mut index, mut map) = (Index::default(), BTreeMap::new());
        let mut id = 1_u64;
        for number in 0..20_000 {
            // Many ids share their first bits.
            id = id.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) & !(0xff << 40);
            let is_new = !map.contains_key(&id);
            assert_eq!(index.insert(id, Slot(number)), is_new);
            map.entry(id).or_insert(Slot(number));
            if number % 3 == 0 {
                let gone = *map.keys().nth(map.len() / 2).unwrap();
                map.remove(&gone);
                index.remove(gone);
                index.remove(gone);
                assert_eq!(index.get(gone), None);
            }
            if number % 3 == 1 {
                let (old, slot) =
                    map.iter().nth(map.len() / 3).map(|(id, slot)| (*id, *slot)).unwrap();
                // Often in the same bucket, and now and then one that is there.
                let new = match number % 4 {
                    0 => old ^ 0xffff,
                    1 => old ^ 1 << 62,
                    2 => old.wrapping_add(1 << 41),
                    _ => *map.keys().nth(map.len() / 3 + 1).unwrap_or(&1),
                };
                map.remove(&old);
                let is_new = !map.contains_key(&new);
                assert_eq!(index.replace(old, new, slot), is_new);
                map.entry(new).or_insert(slot);
            }
        }
        assert_eq!(index.len(), map.len());
        assert!(map.iter().all(|(id, slot)| index.get(*id) == Some(*slot)));
        let all: Vec<(u64, Slot)> = map.iter().map(|(id, slot)| (*id, *slot)).collect();
        assert_eq!(index.after(None).collect::<Vec<_>>(), all);
        for place in [0, 7, all.len() / 2, all.len() - 1] {
            assert_eq!(index.after(Some(all[place].0)).collect::<Vec<_>>(), all[place + 1..]);
        }
        assert_eq!(index.after(Some(u64::MAX)).count(), 0);
    }
}
