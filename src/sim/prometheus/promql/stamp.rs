//! The mark for "no value here": Prometheus's own staleness marker.
//!
//! It is a NaN with bits that no arithmetic produces, so a row of values needs no second array that
//! says which are there. It has to be sorted out before any arithmetic.

const BITS: u64 = 0x7ff0_0000_0000_0002;

/// No sample, and in stored series: the series ended here.
pub const ABSENT: f64 = f64::from_bits(BITS);

/// Returns whether this is the mark and not a value, NaN included.
pub fn is_absent(value: f64) -> bool {
    value.to_bits() == BITS
}
