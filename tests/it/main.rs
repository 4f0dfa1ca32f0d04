//! Tests that look at the program from outside its modules, in one binary.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::unnecessary_wraps,
    clippy::too_many_lines,
    clippy::match_wild_err_arm,
    reason = "a test stops at the first thing that is not as it should"
)]

mod apiserver_access;
mod apiserver_basic;
mod apiserver_custom;
mod apiserver_deletion;
mod apiserver_tables;
mod apiserver_watch;
mod architecture;
mod cockpit;
mod config_keymaps;
mod definitions;
mod engine_bed;
mod engine_faults;
mod engine_github;
mod engine_image_states;
mod engine_image_updates;
mod engine_live;
mod engine_metrics;
mod engine_platforms;
mod engine_registries;
mod engine_rollouts;
mod engine_runs;
mod engine_set_image;
mod health_oracle;
mod licences;
mod oracles;
mod promql_oracle;
mod rollout_oracle;
mod screens_answers;
mod screens_bytes;
mod screens_delivery;
mod screens_delivery_data;
mod screens_desk;
mod screens_fixtures;
mod screens_gallery;
mod screens_images;
mod screens_images_data;
mod screens_pages;
mod screens_runs;
mod screens_runs_data;
mod screens_tables;
mod sim_actions;
mod sim_analysis;
mod sim_argocd;
mod sim_chain;
mod sim_delivery_canary;
mod sim_events;
mod sim_git;
mod sim_harbor;
mod sim_image_updater;
mod sim_kustomize;
mod sim_monitoring;
mod sim_platform;
mod sim_prometheus;
mod sim_registry;
mod sim_rollouts;
mod sim_tekton;
mod sim_workflows;
mod sim_workloads_deployment;
mod sim_workloads_others;
mod support;
mod update_delivery;
mod update_idle;
mod update_images;
mod update_intents;
mod update_places;
mod update_runs;
mod update_tables;
