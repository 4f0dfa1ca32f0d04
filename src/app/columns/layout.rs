//! Which columns fit, and how wide they are.

use super::ColumnSpec;

/// Empty columns between two columns.
const GAP: u16 = 2;

/// A column that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Index into the list of columns.
    pub index: usize,
    /// Cells from the left edge.
    pub x: u16,
    pub width: u16,
}

/// Chooses columns for `total` cells. `natural[i]` is the width that column `i` would like.
///
/// Columns leave by priority, the highest first; those of priority 0 stay and shrink instead:
/// the widest first down to its minimum, and at the very end below it.
pub fn place(columns: &[ColumnSpec], natural: &[u16], total: u16) -> Vec<Placed> {
    let mut widths: Vec<u16> = columns
        .iter()
        .enumerate()
        .map(|(index, spec)| wanted(spec, natural.get(index).copied().unwrap_or_default()))
        .collect();
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    while needed(&kept, &widths) > total {
        let leaving = kept
            .iter()
            .copied()
            .filter(|index| columns[*index].priority > 0)
            .max_by_key(|index| (columns[*index].priority, *index));
        let Some(leaving) = leaving else { break };
        let slack = shrinkable(columns, &kept, &widths);
        if needed(&kept, &widths).saturating_sub(slack) <= total {
            break;
        }
        kept.retain(|index| *index != leaving);
    }
    shrink(columns, &kept, &mut widths, total);
    let mut x = 0;
    kept.into_iter()
        .map(|index| {
            let width = widths[index].min(total.saturating_sub(x));
            let placed = Placed { index, x, width };
            x += widths[index] + GAP;
            placed
        })
        .filter(|placed| placed.width > 0)
        .collect()
}

fn wanted(spec: &ColumnSpec, natural: u16) -> u16 {
    let title = spec.title.chars().count() as u16;
    let least = spec.min.max(title);
    natural.clamp(least, spec.max.max(least))
}

fn needed(kept: &[usize], widths: &[u16]) -> u16 {
    let sum: u16 = kept.iter().map(|index| widths[*index]).sum();
    sum + GAP * (kept.len() as u16).saturating_sub(1)
}

/// How many cells can be saved by shrinking to what is comfortable: names stay readable before
/// other columns are kept.
fn shrinkable(columns: &[ColumnSpec], kept: &[usize], widths: &[u16]) -> u16 {
    kept.iter()
        .map(|index| widths[*index].saturating_sub(columns[*index].comfort))
        .sum()
}

fn shrink(columns: &[ColumnSpec], kept: &[usize], widths: &mut [u16], total: u16) {
    for floor in [Floor::Comfortable, Floor::Minimum, Floor::One] {
        while needed(kept, widths) > total {
            let widest = kept
                .iter()
                .copied()
                .filter(|index| widths[*index] > floor.of(columns, *index))
                .max_by_key(|index| widths[*index]);
            let Some(widest) = widest else { break };
            widths[widest] -= 1;
        }
    }
}

enum Floor {
    Comfortable,
    Minimum,
    One,
}

impl Floor {
    fn of(&self, columns: &[ColumnSpec], index: usize) -> u16 {
        match self {
            Self::Comfortable => columns[index].comfort,
            Self::Minimum => columns[index].min,
            Self::One => 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ColumnId, Detail, Shown, application};
    use super::*;

    fn shown(width: u16) -> Vec<ColumnId> {
        let columns = application::columns(None, Shown::AllNamespaces, Detail::Wide);
        let natural: Vec<u16> = columns.iter().map(|spec| spec.max).collect();
        place(&columns, &natural, width)
            .iter()
            .map(|placed| columns[placed.index].id)
            .collect()
    }

    #[test]
    fn narrow_terminal_keeps_name_and_health_columns() {
        for width in [20, 40, 60, 78] {
            let shown = shown(width);
            assert!(shown.contains(&ColumnId::Name), "{width}: {shown:?}");
            assert!(shown.contains(&ColumnId::Health), "{width}: {shown:?}");
            assert!(shown.contains(&ColumnId::Sync), "{width}: {shown:?}");
        }
    }

    #[test]
    fn wide_terminal_shows_every_column() {
        let columns = application::columns(None, Shown::AllNamespaces, Detail::Wide);

        assert_eq!(shown(400).len(), columns.len());
    }

    #[test]
    fn columns_never_reach_beyond_the_edge() {
        let columns = application::columns(None, Shown::AllNamespaces, Detail::Wide);
        let natural: Vec<u16> = columns.iter().map(|spec| spec.max).collect();
        for width in 1..300 {
            for placed in place(&columns, &natural, width) {
                assert!(placed.x + placed.width <= width, "{width}: {placed:?}");
            }
        }
    }
}
