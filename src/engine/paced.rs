//! Pictures at a pace that screens can follow.
//!
//! What is reported is taken in at once; a picture of it goes out a moment later, so that what
//! comes together is drawn together, and five times a second on average: the first ones of a page
//! that opens, and those after a rest, do not wait.

use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

const BETWEEN_PICTURES: Duration = Duration::from_millis(200);
/// After a rest so much of that time is given in advance: what a page opens with comes in parts.
const ADVANCE: Duration = Duration::from_millis(400);
/// What comes within this time is one picture.
const MOMENT: Duration = Duration::from_millis(10);

/// Something of which a picture is made whenever it has changed.
pub(super) trait Paced {
    type Change;

    /// Takes in what was reported.
    fn take(&mut self, change: Self::Change) -> impl Future<Output = ()> + Send;

    /// Sends the picture, if it is another one.
    fn show(&mut self) -> impl Future<Output = Shown> + Send;
}

/// What came of showing a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// Too little has come to make one; the next try need not wait.
    TooEarly,
    /// It was made, and sent unless it equalled the last one.
    Made,
}

/// Draws until nobody reports anything any more.
pub(super) async fn draw<P: Paced>(picture: &mut P, inbox: &mut mpsc::Receiver<P::Change>) {
    let mut due: Option<Instant> = None;
    // The pictures so far are paid for when this time has come.
    let mut paid_at = Instant::now();
    loop {
        let wait = async {
            match due {
                Some(due) => tokio::time::sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            change = inbox.recv() => match change {
                Some(change) => {
                    picture.take(change).await;
                    let soon = Instant::now() + MOMENT;
                    due.get_or_insert(paid_at.checked_sub(ADVANCE).map_or(soon, |at| soon.max(at)));
                }
                None => break,
            },
            () = wait => {
                due = None;
                if picture.show().await == Shown::Made {
                    paid_at = paid_at.max(Instant::now()) + BETWEEN_PICTURES;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Is too early until as many changes came as `needs` says.
    #[derive(Default)]
    struct Counted {
        needs: u32,
        taken: u32,
        shown: Vec<(u32, Instant)>,
    }

    impl Paced for Counted {
        type Change = ();

        async fn take(&mut self, (): ()) {
            self.taken += 1;
        }

        async fn show(&mut self) -> Shown {
            if self.taken < self.needs {
                return Shown::TooEarly;
            }
            self.shown.push((self.taken, Instant::now()));
            Shown::Made
        }
    }

    /// Draws while changes come after these pauses; returns what was shown, and when after the start.
    async fn drawn(needs: u32, pauses: Vec<u64>) -> Vec<(u32, Duration)> {
        let (changes, mut inbox) = mpsc::channel(8);
        let start = Instant::now();
        let sending = tokio::spawn(async move {
            for pause in pauses {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                changes.send(()).await.expect("somebody listens");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        let mut counted = Counted {
            needs,
            ..Counted::default()
        };
        draw(&mut counted, &mut inbox).await;
        sending.await.expect("all is sent");
        let shown = counted.shown.into_iter();
        shown.map(|(taken, at)| (taken, at - start)).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_is_one_picture() {
        let shown = drawn(0, vec![0, 1, 1, 50]).await;

        let taken: Vec<u32> = shown.iter().map(|(taken, _)| *taken).collect();
        assert_eq!(taken, [3, 4]);
        assert!(shown[1].1 < Duration::from_millis(70), "{shown:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_changes_becomes_five_pictures_a_second() {
        let shown = drawn(0, vec![20; 150]).await;

        let late = |(_, at): &&(u32, Duration)| (1000..3000).contains(&at.as_millis());
        assert_eq!(shown.iter().filter(late).count(), 10, "{shown:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_for_the_first_object_delays_no_picture() {
        let shown = drawn(8, vec![20; 8]).await;

        assert_eq!(shown.len(), 1);
        assert!(shown[0].1 < Duration::from_millis(180), "{shown:?}");
    }
}
