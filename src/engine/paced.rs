//! Pictures at a pace that screens can follow.
//!
//! What is reported is taken in at once; a picture of it goes out a moment later, so that what
//! comes together is drawn together, and at most five times a second.

use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

const BETWEEN_PICTURES: Duration = Duration::from_millis(200);
/// What comes within this time is one picture.
const MOMENT: Duration = Duration::from_millis(10);

/// Something of which a picture is made whenever it has changed.
pub(super) trait Paced {
    type Change;

    /// Takes in what was reported.
    fn take(&mut self, change: Self::Change) -> impl Future<Output = ()> + Send;

    /// Sends the picture, if it is another one.
    fn show(&mut self) -> impl Future<Output = ()> + Send;
}

/// Draws until nobody reports anything any more.
pub(super) async fn draw<P: Paced>(picture: &mut P, inbox: &mut mpsc::Receiver<P::Change>) {
    let mut due: Option<Instant> = None;
    let mut next = Instant::now();
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
                    due.get_or_insert(next.max(Instant::now() + MOMENT));
                }
                None => break,
            },
            () = wait => {
                due = None;
                next = Instant::now() + BETWEEN_PICTURES;
                picture.show().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Counted {
        taken: u32,
        shown: Vec<(u32, Instant)>,
    }

    impl Paced for Counted {
        type Change = ();

        async fn take(&mut self, (): ()) {
            self.taken += 1;
        }

        async fn show(&mut self) {
            self.shown.push((self.taken, Instant::now()));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_together_is_one_picture_and_pictures_are_spaced() {
        let (changes, mut inbox) = mpsc::channel(8);
        let sending = tokio::spawn(async move {
            for pause in [0, 1, 50, 20] {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                changes.send(()).await.expect("somebody listens");
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        });
        let mut counted = Counted::default();

        draw(&mut counted, &mut inbox).await;

        let taken: Vec<u32> = counted.shown.iter().map(|(taken, _)| *taken).collect();
        assert_eq!(taken, [2, 4]);
        assert!(counted.shown[1].1 - counted.shown[0].1 >= BETWEEN_PICTURES);
        sending.await.expect("all is sent");
    }
}
