//! Writing and reading numbers of any width, bit by bit.

/// Collects bits, the highest first.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
    pending: u128,
    count: u32,
}

impl Writer {
    /// Adds the lowest `width` bits of a number; at most 64.
    pub(super) fn write(&mut self, number: u64, width: u32) {
        let kept = if width >= 64 {
            number
        } else {
            number & ((1_u64 << width) - 1)
        };
        self.pending = (self.pending << width) | u128::from(kept);
        self.count += width;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
        self.pending &= (1_u128 << self.count) - 1;
    }

    /// Returns the bytes, the last filled with zeros.
    pub(super) fn finish(mut self) -> Box<[u8]> {
        if self.count > 0 {
            let missing = 8 - self.count;
            self.write(0, missing);
        }
        self.bytes.into_boxed_slice()
    }
}

/// Reads bits back.
#[derive(Clone, Debug)]
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
    pending: u128,
    count: u32,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            pending: 0,
            count: 0,
        }
    }

    /// Returns the next `width` bits; at most 64. After the end come zeros.
    pub(super) fn read(&mut self, width: u32) -> u64 {
        while self.count < width {
            let byte = self.bytes.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            self.pending = (self.pending << 8) | u128::from(byte);
            self.count += 8;
        }
        self.count -= width;
        let number = (self.pending >> self.count) as u64;
        self.pending &= (1_u128 << self.count) - 1;
        number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back() {
        let mut out = Writer::default();
        out.write(1, 1);
        out.write(u64::MAX, 64);
        out.write(5, 3);

        let bytes = out.finish();
        let mut bits = Reader::new(&bytes);

        assert_eq!(
            (bits.read(1), bits.read(64), bits.read(3)),
            (1, u64::MAX, 5)
        );
    }
}
