//! Workflows on stepped time: upstream's examples, the shape of nodes, steering, faults.

mod bed;
mod cron;
mod examples;
mod faults;
mod graphs;
mod kinds;
mod locks;
mod steering;
