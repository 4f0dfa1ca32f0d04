//! What goes wrong with a registry: robots end, tags move, vulnerabilities become known.

use super::Harbor;
use super::seed::split;
use super::shape::RegistryFault;
use super::state::Bench;
use super::wire;
use crate::sim::registry::image::{self, ImageShape, Package};
use crate::sim::registry::{Deed, Happening};
use chrono::TimeDelta;
use serde_json::Value;

impl Harbor {
    /// Lets a fault happen; the error says what is not there.
    pub fn play(&self, fault: &RegistryFault) -> Result<(), String> {
        let played = self.with(|bench| match fault {
            RegistryFault::ExpireRobot(name) => {
                let end = (bench.now - TimeDelta::seconds(1)).timestamp();
                change_robot(bench, name, |robot| robot.expires_at = end)
            }
            RegistryFault::DisableRobot(name) => {
                change_robot(bench, name, |robot| robot.disabled = true)
            }
            RegistryFault::MoveTag { image, packages } => move_tag(bench, image, packages),
            RegistryFault::NewCve(cve) => {
                bench.state.database.learn(std::slice::from_ref(cve));
                bench.scan_all("Schedule");
                Ok(())
            }
        });
        self.0.wake.notify_one();
        played
    }
}

fn change_robot(
    bench: &mut Bench<'_>,
    name: &str,
    change: impl FnOnce(&mut super::model::Robot),
) -> Result<(), String> {
    let now = bench.now;
    let robot = bench
        .state
        .robots
        .values_mut()
        .find(|robot| robot.name == name);
    let robot = robot.ok_or_else(|| format!("there is no robot {name}"))?;
    change(robot);
    robot.updated = now;
    Ok(())
}

/// Builds an image again and pushes it under the same tag.
fn move_tag(bench: &mut Bench<'_>, image: &str, packages: &[String]) -> Result<(), String> {
    let missing = || format!("there is no image {image}");
    let (name, tag) = split(image, bench.host).ok_or_else(missing)?;
    let artifact = bench
        .artifact(&name, &tag)
        .map_err(|_gone| missing())?
        .clone();
    let repository = bench.repository(&name).map_err(|_gone| missing())?;
    let images = repository.images(&artifact);
    let first = images.first().ok_or_else(missing)?;
    let config = wire::config(bench, first).unwrap_or_default();
    let mut shape = ImageShape::new(format!("{name}:{tag}"), bench.now);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    shape.author = text(&config["author"]);
    for (key, value) in config["config"]["Labels"].as_object().into_iter().flatten() {
        shape.labels.insert(key.clone(), text(value));
    }
    let platform = |image: &&&_| -> String {
        let config = wire::config(bench, image).unwrap_or_default();
        let variant = text(&config["variant"]);
        let base = format!("{}/{}", text(&config["os"]), text(&config["architecture"]));
        if variant.is_empty() {
            base
        } else {
            format!("{base}/{variant}")
        }
    };
    shape.platforms = images.iter().map(|image| platform(&image)).collect();
    shape.packages = bench.packages(first);
    for package in packages.iter().filter_map(|text| Package::read(text)) {
        shape.packages.retain(|known| known.name != package.name);
        shape.packages.push(package);
    }
    shape.claimed = 24 * 1024 * 1024;
    let built = image::image(&shape);
    let now = bench.now;
    built
        .push(bench.store, &name, &tag, now)
        .map_err(|refusal| format!("cannot push {image}: {refusal:?}"))?;
    bench.on_happening(&Happening {
        deed: Deed::Pushed,
        repository: name,
        digest: built.digest().to_owned(),
        reference: tag,
        by: "admin".to_owned(),
    });
    Ok(())
}
