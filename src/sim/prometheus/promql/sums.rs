//! Sums and variances that lose little precision (`promql/functions.go`: `kahanSumInc`).

/// A compensated sum.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut sum = Self::default();
        for value in values {
            sum.add(value);
        }
        sum
    }

    pub(super) fn add(&mut self, value: f64) {
        let next = self.total + value;
        self.lost = if next.is_infinite() {
            0.0
        } else if self.total.abs() >= value.abs() {
            self.lost + ((self.total - next) + value)
        } else {
            self.lost + ((value - next) + self.total)
        };
        self.total = next;
    }

    pub(super) fn total(self) -> f64 {
        if self.total.is_infinite() {
            self.total
        } else {
            self.total + self.lost
        }
    }

    fn scaled(self, by: f64) -> Self {
        Self {
            total: self.total * by,
            lost: self.lost * by,
        }
    }
}

/// A mean that turns to an incremental one before its sum overflows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mean {
    sum: Sum,
    count: f64,
    incremental: bool,
}

impl Mean {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if !self.incremental {
            let mut next = self.sum;
            next.add(value);
            if !next.total.is_infinite() || self.count <= 1.0 {
                self.sum = next;
                return;
            }
            self.incremental = true;
            self.sum = Sum {
                total: self.sum.total / (self.count - 1.0),
                lost: self.sum.lost / (self.count - 1.0),
            };
        }
        let mut mean = self.sum.scaled((self.count - 1.0) / self.count);
        mean.add(value / self.count);
        self.sum = mean;
    }

    pub(super) fn mean(self) -> f64 {
        if self.incremental {
            self.sum.total + self.sum.lost
        } else {
            self.sum.total / self.count + self.sum.lost / self.count
        }
    }
}

/// A population variance (Welford).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Variance {
    count: f64,
    mean: Sum,
    squares: Sum,
}

impl Variance {
    pub(super) fn add(&mut self, value: f64) {
        self.count += 1.0;
        let delta = value - (self.mean.total + self.mean.lost);
        self.mean.add(delta / self.count);
        self.squares
            .add(delta * (value - (self.mean.total + self.mean.lost)));
    }

    pub(super) fn variance(self) -> f64 {
        (self.squares.total + self.squares.lost) / self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_parts_of_a_sum_are_not_lost() {
        let sum = Sum::of([1e100, 1.0, -1e100]).total();

        assert!((sum - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_mean_survives_the_overflow_of_its_sum() {
        let mut mean = Mean::default();
        for _ in 0..3 {
            mean.add(f64::MAX);
        }

        assert!((mean.mean() / f64::MAX - 1.0).abs() < 1e-9);
    }
}
