//! A sealed run of samples in few bits.
//!
//! Times are stored as the change of their distance, values as the bits that differ from the value
//! before ("Gorilla: A Fast, Scalable, In-Memory Time Series Database", section 4.1).

use super::bits::{Reader, Writer};

/// Samples that do not change any more.
#[derive(Debug)]
pub(super) struct Chunk {
    bits: Box<[u8]>,
    count: u16,
    first: i64,
    last: i64,
}

/// Widths of the classes for changes of distance; the last takes everything.
const WIDTHS: [u32; 4] = [7, 14, 24, 64];

impl Chunk {
    /// Packs at least one sample.
    pub(super) fn seal(times: &[i64], values: &[f64]) -> Self {
        let mut out = Writer::default();
        let mut before = (times.first().copied().unwrap_or_default(), 0_i64);
        let mut value_before = 0_u64;
        let mut frame = Frame::default();
        for (number, (time, value)) in times.iter().zip(values).enumerate() {
            if number > 0 {
                let distance = time.wrapping_sub(before.0);
                write_change(&mut out, distance.wrapping_sub(before.1));
                before = (*time, distance);
            }
            frame.write(&mut out, value.to_bits() ^ value_before);
            value_before = value.to_bits();
        }
        Self {
            bits: out.finish(),
            count: times.len() as u16,
            first: times.first().copied().unwrap_or_default(),
            last: times.last().copied().unwrap_or_default(),
        }
    }

    pub(super) fn first(&self) -> i64 {
        self.first
    }

    pub(super) fn last(&self) -> i64 {
        self.last
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.count)
    }

    pub(super) fn bytes(&self) -> usize {
        self.bits.len() + size_of::<Self>()
    }

    /// Unpacks the samples, oldest first.
    pub(super) fn samples(&self) -> impl Iterator<Item = (i64, f64)> {
        let mut bits = Reader::new(&self.bits);
        let mut time = self.first;
        let mut distance = 0_i64;
        let mut value = 0_u64;
        let mut frame = Frame::default();
        (0..self.count).map(move |number| {
            if number > 0 {
                distance = distance.wrapping_add(read_change(&mut bits));
                time = time.wrapping_add(distance);
            }
            value ^= frame.read(&mut bits);
            (time, f64::from_bits(value))
        })
    }
}

fn write_change(out: &mut Writer, change: i64) {
    if change == 0 {
        out.write(0, 1);
        return;
    }
    // Zigzag: small numbers of either sign have few bits.
    let folded = ((change << 1) ^ (change >> 63)) as u64;
    let needed = 64 - folded.leading_zeros();
    for (class, width) in WIDTHS.iter().enumerate() {
        if needed <= *width {
            out.write(1, 1);
            out.write(class as u64, 2);
            out.write(folded, *width);
            return;
        }
    }
}

fn read_change(bits: &mut Reader<'_>) -> i64 {
    if bits.read(1) == 0 {
        return 0;
    }
    let class = bits.read(2) as usize;
    let folded = bits.read(WIDTHS.get(class).copied().unwrap_or(64));
    ((folded >> 1) as i64) ^ -((folded & 1) as i64)
}

/// Which bits of a difference are stored: those between leading and trailing zeros.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    leading: u32,
    width: u32,
}

impl Frame {
    fn write(&mut self, out: &mut Writer, difference: u64) {
        if difference == 0 {
            out.write(0, 1);
            return;
        }
        out.write(1, 1);
        let leading = difference.leading_zeros().min(31);
        let trailing = difference.trailing_zeros();
        let fits =
            self.width > 0 && leading >= self.leading && trailing >= 64 - self.leading - self.width;
        if fits {
            out.write(0, 1);
        } else {
            *self = Self {
                leading,
                width: 64 - leading - trailing,
            };
            out.write(1, 1);
            out.write(u64::from(leading), 5);
            out.write(u64::from(self.width - 1), 6);
        }
        out.write(difference >> (64 - self.leading - self.width), self.width);
    }

    fn read(&mut self, bits: &mut Reader<'_>) -> u64 {
        if bits.read(1) == 0 {
            return 0;
        }
        if bits.read(1) == 1 {
            self.leading = bits.read(5) as u32;
            self.width = bits.read(6) as u32 + 1;
        }
        let shift = 64_u32.saturating_sub(self.leading + self.width);
        bits.read(self.width) << shift
    }
}
