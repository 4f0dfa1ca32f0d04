//! Keeps work going when nobody asks, and sends what is to be told.

use super::Harbor;
use crate::sim::network::Manner;
use futures::future::{Either, pending};
use std::time::Duration;

/// How long a webhook's receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Runs until it is dropped.
pub(super) async fn keep(harbor: Harbor) {
    loop {
        let (due, outbox) = harbor.with(|bench| {
            let outbox = std::mem::take(&mut bench.state.outbox);
            (bench.state.due(), outbox)
        });
        for delivery in outbox {
            let harbor = harbor.clone();
            // A receiver that takes long does not hold up the others.
            tokio::spawn(async move {
                let outcome = send(&harbor, &delivery).await;
                harbor.with(|bench| bench.delivered(delivery.execution, outcome));
            });
        }
        let waiting = match due {
            Some(due) => Either::Left(harbor.0.clock.sleep_until(due)),
            None => Either::Right(pending()),
        };
        tokio::select! {
            () = waiting => {}
            () = harbor.0.wake.notified() => {}
        }
    }
}

async fn send(harbor: &Harbor, delivery: &super::webhook::Delivery) -> Result<u16, String> {
    let Some(network) = harbor.0.network.get() else {
        return Err("there is no network".to_owned());
    };
    let request = delivery.request().map_err(|error| error.to_string())?;
    let manner = Manner {
        limit: Some(PATIENCE),
        insecure: false,
    };
    let answer = network.send_in(request, &manner, &harbor.0.clock).await;
    answer
        .map(|answer| answer.status().as_u16())
        .map_err(|error| error.to_string())
}
