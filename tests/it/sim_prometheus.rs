//! The embedded Prometheus and Alertmanager on stepped time, through their HTTP APIs.

mod alerts;
mod api;
mod asking;
mod scraping;
