//! Which registries there are: configured, found in the cluster, or only named by images.
//!
//! A Harbor in the cluster is found by the labels of its Helm chart and reached through the API
//! server. A registry outside is asked only when the configuration names its host, or says `*`:
//! what runs here is nobody's business otherwise.

use super::account::{Account, beside, configured};
use super::harbor::API;
use super::oci::usual_url;
use super::registry::{Registry, Trouble};
use super::route::{Asked, Route};
use crate::api::convert::harbor::{SystemInfo, system_info};
use crate::domain::globs;
use crate::domain::image::Flavour;
use crate::domain::object::Text;
use crate::domain::servers::{RegistryKind, RegistryOptions};
use crate::engine::facts::{items, number, text};
use crate::engine::session::Session;
use crate::engine::transport::{Call, segment};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The registries of a connection.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) registries: Vec<Arc<Registry>>,
    /// Addresses that cannot be used at all: what they are, and why.
    pub(super) broken: Vec<(Text, Trouble)>,
    /// How often the user had asked to list again when this was made.
    pub(super) reloads: u64,
    /// Whether anybody has looked; before that nothing is known of any registry.
    pub(super) looked: bool,
}

impl Directory {
    /// Returns the registry of a host.
    pub(super) fn of_host(&self, host: &str) -> Option<&Arc<Registry>> {
        self.registries.iter().find(|one| &*one.host == host)
    }
}

/// Finds the registries; `hosts` are those that images name.
pub(super) async fn find(session: &Session, hosts: &BTreeSet<Text>) -> Directory {
    let mut directory = Directory {
        reloads: session.wake.borrow().reloads,
        looked: true,
        ..Directory::default()
    };
    let options: Vec<&RegistryOptions> = session
        .options
        .registries
        .iter()
        .filter(|one| globs::matches(&one.context, &session.context.name))
        .collect();
    for one in &options {
        if one.host.as_deref() != Some("*") {
            add_configured(session, one, &mut directory).await;
        }
    }
    for (namespace, service) in harbor_services(session).await {
        add_found(session, (&namespace, &service), &mut directory).await;
    }
    if let Some(all) = options.iter().find(|one| one.host.as_deref() == Some("*")) {
        for host in hosts {
            if directory.of_host(host).is_none() {
                let one = RegistryOptions {
                    host: Some(host.to_string()),
                    ..(*all).clone()
                };
                add_configured(session, &one, &mut directory).await;
            }
        }
    }
    directory
}

async fn add_configured(session: &Session, options: &RegistryOptions, directory: &mut Directory) {
    let host = options.host.clone().unwrap_or_default();
    let address = options.address.clone().unwrap_or_else(|| usual_url(&host));
    let route = match address.split_once('/') {
        Some((namespace, service)) if !address.contains("://") => {
            Ok(Route::proxy(namespace, service))
        }
        Some(_) | None => Route::url(&address, &options.login),
    };
    let route = match route {
        Ok(route) => route,
        Err(fault) => {
            let sentence = format!("`{host}` cannot be used: {fault}");
            let trouble = Trouble::new(
                super::registry::Kind::Refused,
                sentence,
                "correct `[[registry]]`",
            );
            directory.broken.push((host.into(), trouble));
            return;
        }
    };
    let (account, without) = match configured(session, options).await {
        Ok(account) => (account, None),
        Err(problem) => (Account::default(), Some(problem)),
    };
    let named = if host.is_empty() {
        host_of(&address)
    } else {
        host
    };
    let mut registry = Registry::new(named.as_str().into(), route, account);
    registry.without_account = without;
    let asked_host = options.host.is_some();
    let registry = introduce(session, registry, (options.kind, asked_host)).await;
    directory.registries.push(Arc::new(registry));
}

/// Adds a Harbor that is a Service of the cluster, unless somebody has configured it.
async fn add_found(
    session: &Session,
    (namespace, service): (&str, &str),
    directory: &mut Directory,
) {
    let route = Route::proxy(namespace, service);
    let is_known = directory
        .registries
        .iter()
        .any(|known| known.route.name() == route.name());
    if is_known {
        return;
    }
    let account = beside(session, namespace).await.unwrap_or_default();
    let named = format!("{namespace}/{service}");
    let registry = Registry::new(named.as_str().into(), route, account);
    let registry = introduce(session, registry, (RegistryKind::Harbor, false)).await;
    if directory.of_host(&registry.host).is_none() {
        directory.registries.push(Arc::new(registry));
    }
}

/// Finds out what a registry is, and by which host images name it.
async fn introduce(
    session: &Session,
    mut registry: Registry,
    (kind, keeps_host): (RegistryKind, bool),
) -> Registry {
    let is_harbor = match kind {
        RegistryKind::Harbor => true,
        RegistryKind::Oci => false,
        RegistryKind::Auto => pongs(session, &registry).await,
    };
    if !is_harbor {
        return registry;
    }
    registry.flavour = Flavour::Harbor;
    let mut info = info_of(session, &registry, true).await;
    if info.registry.is_empty() {
        // Somebody who is not known still learns how people log in.
        let open = info_of(session, &registry, false).await;
        info.auth_mode = open.auth_mode;
    }
    if !keeps_host && !info.registry.is_empty() {
        registry.host = Text::clone(&info.registry);
    }
    registry.info = info;
    registry
}

async fn pongs(session: &Session, registry: &Registry) -> bool {
    let asked = Asked::get(format!("{API}/ping"));
    let reply = registry.route.send(session, asked).await;
    reply.is_ok_and(|reply| reply.is_good() && reply.body.starts_with(b"Pong"))
}

/// Asks without keeping the book: nobody is to be told of this.
async fn info_of(session: &Session, registry: &Registry, logged_in: bool) -> SystemInfo {
    let login = registry.account.basic().filter(|_| logged_in);
    let asked = Asked::get(format!("{API}/systeminfo")).authorised(login);
    let Ok(reply) = registry.route.send(session, asked).await else {
        return SystemInfo::default();
    };
    let value: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
    system_info(&value)
}

/// Returns the host of a URL, or the Service itself.
fn host_of(address: &str) -> String {
    let Some((_, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let authority = rest.split('/').next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.to_ascii_lowercase()
}

/// Finds Services that are labelled as Harbor's Helm chart labels its core.
async fn harbor_services(session: &Session) -> Vec<(String, String)> {
    let selector = segment("app=harbor,component=core");
    let scopes = ["/api/v1/services", "/api/v1/namespaces/harbor/services"];
    for scope in scopes {
        let path = format!("{scope}?labelSelector={selector}");
        if let Ok(list) = session.send_json(Call::get(path)).await {
            let services = items(&list, &["items"]).iter();
            return services.filter_map(service_of).collect();
        }
    }
    Vec::new()
}

fn service_of(service: &Value) -> Option<(String, String)> {
    let name = text(service, &["metadata", "name"]);
    let ports = items(service, &["spec", "ports"]);
    let named = |wanted: &str| ports.iter().find(|port| text(port, &["name"]) == wanted);
    let port = named("http-web")
        .or_else(|| named("https-web"))
        .or_else(|| ports.first())?;
    let secure = text(port, &["name"]).starts_with("https") || number(port, &["port"]) == 443;
    let scheme = if secure { "https:" } else { "" };
    Some((
        text(service, &["metadata", "namespace"]).to_owned(),
        format!("{scheme}{name}:{}", number(port, &["port"])),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_chart_names_its_port() {
        let service = json!({"metadata": {"namespace": "harbor", "name": "harbor-core"},
            "spec": {"ports": [{"name": "metrics", "port": 8001}, {"name": "http-web", "port": 80}]}});
        assert_eq!(
            service_of(&service),
            Some(("harbor".to_owned(), "harbor-core:80".to_owned()))
        );
        let secure = json!({"metadata": {"namespace": "h", "name": "c"},
            "spec": {"ports": [{"name": "https-web", "port": 443}]}});
        assert_eq!(
            service_of(&secure),
            Some(("h".to_owned(), "https:c:443".to_owned()))
        );
        assert_eq!(
            host_of("https://me:pw@Harbor.Example.com:8443/x"),
            "harbor.example.com:8443"
        );
        assert_eq!(host_of("harbor/harbor-core:80"), "harbor/harbor-core:80");
    }
}
