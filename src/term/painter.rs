//! Puts frames on the terminal: only cells that differ, in one synchronized write.
//!
//! A frame that equals the last one writes nothing at all.

use super::encode::encode;
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io::{self, Write};

/// The cells on the terminal, and those of the next frame.
#[derive(Debug)]
pub struct Painter<W: Write> {
    output: Output<W>,
    shown: Buffer,
    next: Buffer,
    cleared: bool,
}

impl<W: Write> Painter<W> {
    /// Begins with an unknown screen: the first frame clears it.
    pub fn new(writer: W, (columns, rows): (u16, u16)) -> Self {
        let area = Rect::new(0, 0, columns, rows);
        Self {
            output: Output::new(writer),
            shown: Buffer::empty(area),
            next: Buffer::empty(area),
            cleared: false,
        }
    }

    /// Forgets what is on the terminal: the next frame is written whole.
    pub fn forget(&mut self) {
        self.cleared = false;
    }

    /// Takes another size.
    pub fn resize(&mut self, (columns, rows): (u16, u16)) {
        let area = Rect::new(0, 0, columns, rows);
        self.shown = Buffer::empty(area);
        self.next = Buffer::empty(area);
        self.cleared = false;
    }

    /// Draws a frame and writes what differs; returns what `draw` returned.
    ///
    /// # Errors
    /// When the terminal cannot be written to.
    pub fn paint<T>(&mut self, draw: impl FnOnce(Rect, &mut Buffer) -> T) -> io::Result<T> {
        self.next.reset();
        let area = self.next.area;
        let answer = draw(area, &mut self.next);
        let whole = !self.cleared;
        if whole {
            self.shown.reset();
        }
        let changes = encode(&mut self.shown, &self.next);
        if changes.is_empty() && !whole {
            return Ok(answer);
        }
        queue!(self.output, BeginSynchronizedUpdate)?;
        if whole {
            queue!(self.output, Clear(ClearType::All))?;
            self.cleared = true;
        }
        self.output.write_all(changes.as_bytes())?;
        queue!(self.output, EndSynchronizedUpdate)?;
        self.output.flush()?;
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(answer)
    }
}

/// Gathers a frame, so that it reaches the terminal in one write.
#[derive(Debug)]
struct Output<W: Write> {
    writer: W,
    gathered: Vec<u8>,
}

impl<W: Write> Output<W> {
    fn new(writer: W) -> Self {
        Self {
            writer,
            gathered: Vec::with_capacity(16 * 1024),
        }
    }
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.gathered.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.write_all(&self.gathered)?;
        self.gathered.clear();
        self.writer.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The end of a synchronized update (DEC private mode 2026).
    const END: &[u8] = b"\x1b[?2026l";
    use std::cell::RefCell;
    use std::rc::Rc;

    #[derive(Clone, Default)]
    struct Written(Rc<RefCell<Vec<Vec<u8>>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn paint(painter: &mut Painter<Written>, text: &str) {
        let painted = painter.paint(|_, buffer| {
            buffer.set_string(0, 0, text, ratatui::style::Style::new());
        });
        assert!(painted.is_ok());
    }

    #[test]
    fn equal_frame_writes_nothing() {
        let written = Written::default();
        let mut painter = Painter::new(written.clone(), (20, 2));
        paint(&mut painter, "hello");
        let before = written.0.borrow().len();

        paint(&mut painter, "hello");

        assert_eq!(written.0.borrow().len(), before);
    }

    #[test]
    fn one_frame_is_one_write_between_synchronization_marks() {
        let written = Written::default();
        let mut painter = Painter::new(written.clone(), (20, 2));

        paint(&mut painter, "hello");
        paint(&mut painter, "help!");

        let writes = written.0.borrow();
        assert_eq!(writes.len(), 2);
        assert!(writes[1].starts_with(b"\x1b[?2026h") && writes[1].ends_with(END));
        assert!(!writes[1].windows(3).any(|three| three == b"hel"));
    }
}
