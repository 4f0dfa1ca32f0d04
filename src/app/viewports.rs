//! What fits on the screen, as the last draw found it; paging and scrolling go by it.

/// Sizes in cells, reported by `ui::draw`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewports {
    /// Rows of the screen's main list or text that are visible, without its header line.
    pub rows: u16,
    /// Columns inside the border of the main list or text.
    pub columns: u16,
    /// Rows of the open overlay's list that are visible; 0 without one.
    pub overlay_rows: u16,
}

impl Default for Viewports {
    fn default() -> Self {
        Self {
            rows: 16,
            columns: 78,
            overlay_rows: 0,
        }
    }
}

/// Returns the offset that keeps `position` visible in `rows` of `total`, moving as little as
/// possible from `offset`.
pub fn scrolled(offset: usize, position: usize, rows: usize, total: usize) -> usize {
    let rows = rows.max(1);
    let lowest = (position + 1).saturating_sub(rows);
    let wanted = offset.clamp(lowest, position.max(lowest));
    wanted.min(total.saturating_sub(rows))
}

/// Returns the place `step` further in a circle of `count`.
pub fn cycled(here: usize, step: isize, count: usize) -> usize {
    let count = count.max(1).cast_signed();
    (here.cast_signed() + step)
        .rem_euclid(count)
        .cast_unsigned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_scrolls_no_further_than_needed() {
        assert_eq!(scrolled(0, 5, 10, 100), 0);
        assert_eq!(scrolled(0, 10, 10, 100), 1);
        assert_eq!(scrolled(50, 49, 10, 100), 49);
        assert_eq!(scrolled(95, 99, 10, 100), 90);
        assert_eq!(scrolled(3, 0, 10, 4), 0);
    }
}
