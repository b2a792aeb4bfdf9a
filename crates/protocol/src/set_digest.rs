//! The digest of a set, that an added or a removed element changes in constant time.
//!
//! AdHash of Bellare and Micciancio ("A New Paradigm for Collision-Free Hashing", 1997): the sum, modulo 2^256, of the
//! SHA-256 of each element. It tells apart sets that differ by accident or by damage; it is no defence against somebody who
//! may choose the elements (for that, manifests carry a MAC).

use crate::digest::{read_hex, write_hex};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;
use std::fmt;

/// The digest of a set of elements; all zeroes for the empty set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SetDigest([u64; 4]);

impl SetDigest {
    /// The digest of the empty set.
    pub const EMPTY: Self = Self([0; 4]);

    /// The digest of the set that holds one element, given in parts that cannot run into each other.
    #[must_use]
    pub fn of_element(parts: &[&[u8]]) -> Self {
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update((part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
        Self::from_bytes(hasher.finalize().into())
    }

    /// The digest of the union with a disjoint set.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut carry = false;
        Self(std::array::from_fn(|index| {
            let (sum, first) = self.0[index].overflowing_add(other.0[index]);
            let (sum, second) = sum.overflowing_add(u64::from(carry));
            carry = first || second;
            sum
        }))
    }

    /// The digest of what is left without a subset.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        let mut borrow = false;
        Self(std::array::from_fn(|index| {
            let (difference, first) = self.0[index].overflowing_sub(other.0[index]);
            let (difference, second) = difference.overflowing_sub(u64::from(borrow));
            borrow = first || second;
            difference
        }))
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(std::array::from_fn(|index| {
            u64::from_le_bytes(bytes[8 * index..8 * index + 8].try_into().expect("eight bytes"))
        }))
    }

    fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

impl fmt::Display for SetDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.to_bytes(), formatter)
    }
}

impl fmt::Debug for SetDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.to_bytes(), formatter)
    }
}

impl Serialize for SetDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SetDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        read_hex(&text).map(Self::from_bytes).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_of_additions_and_removals_does_not_matter(elements in prop::collection::vec(any::<u64>(), 1..20), cut in 0usize..20) {
            let digest = |element: &u64| SetDigest::of_element(&[&element.to_le_bytes()]);
            let all = elements.iter().map(digest).fold(SetDigest::EMPTY, SetDigest::plus);
            let backwards = elements.iter().rev().map(digest).fold(SetDigest::EMPTY, SetDigest::plus);
            prop_assert_eq!(all, backwards);
            let cut = cut.min(elements.len());
            let rest = elements[..cut].iter().map(digest).fold(all, SetDigest::minus);
            prop_assert_eq!(rest, elements[cut..].iter().map(digest).fold(SetDigest::EMPTY, SetDigest::plus));
        }
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(SetDigest::of_element(&[b"ab", b"c"]), SetDigest::of_element(&[b"a", b"bc"]));
    }

    #[test]
    fn text_form_reads_back() {
        let digest = SetDigest::of_element(&[b"a"]);
        let text = serde_json::to_string(&digest).unwrap();
        assert_eq!(serde_json::from_str::<SetDigest>(&text).unwrap(), digest);
    }
}
