//! Live clusters: contexts of a kubeconfig, or the cluster this runs in.
//!
//! Credential plugins may ask questions only before the terminal is ours: [`Live::preflight`]
//! runs the plugin once with the user's terminal. Afterwards no plugin is interactive, and
//! neither stdin nor stderr of this process is inherited.

mod kubeconfig;

use super::fault::Fault;
use super::platform::{Link, Platform};
use super::protocol::ContextInfo;
use crate::domain::clock::{Clock, SystemClock};
use crate::domain::finding::{Finding, Severity};
use crate::domain::object::Text;
use futures::FutureExt;
use futures::future::BoxFuture;
use kube::client::AuthError;
use kube::config::{ExecConfig, ExecInteractiveMode, KubeConfigOptions};
use kube::{Client, Config};
use kubeconfig::{Read, innermost};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a credential plugin may take.
const PLUGIN_TIMEOUT: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/// The name of the context when this runs inside a cluster.
const IN_CLUSTER: &str = "in-cluster";

/// Where contexts come from.
#[derive(Clone, Debug, Default)]
pub struct LiveOptions {
    /// `--kubeconfig`: this file alone.
    pub kubeconfig: Option<PathBuf>,
    /// The value of `KUBECONFIG`: a list of files.
    pub kubeconfig_variable: Option<String>,
    /// `--context`: instead of the current one.
    pub context: Option<String>,
}

/// Live clusters behind kubeconfig contexts.
#[derive(Clone, Debug)]
pub struct Live {
    options: LiveOptions,
}

impl Live {
    /// Prepares; nothing is read or connected to yet.
    pub fn new(options: LiveOptions) -> Self {
        // TLS needs a crypto provider before the first client is built; one may be there already.
        if rustls::crypto::ring::default_provider()
            .install_default()
            .is_err()
        {
            tracing::debug!("a crypto provider is installed already");
        }
        Self { options }
    }

    /// Runs the credential plugin of the context once, with the terminal of the user.
    ///
    /// To be called before the terminal is taken over. Does nothing for contexts without one.
    pub async fn preflight(&self) -> Result<(), Finding> {
        let read = self.read();
        let Ok(name) = self.context_name(&read, None) else {
            return Ok(());
        };
        let user = read.context(&name, None).map(|context| context.user);
        let user = user.unwrap_or_default();
        let info = read.config.auth_infos.iter().find(|one| *one.name == *user);
        let plugin = info
            .and_then(|info| info.auth_info.as_ref())
            .and_then(|info| info.exec.as_ref());
        let interactive = plugin
            .is_some_and(|plugin| plugin.interactive_mode != Some(ExecInteractiveMode::Never));
        if !interactive {
            return Ok(());
        }
        let config = self.config(&read, &name).await?;
        // Building a client runs the plugin; what it asked for lies in its own cache then.
        match Client::try_from(config) {
            Ok(_client) => Ok(()),
            Err(error) => Err(Self::explain(&name, plugin, &error)),
        }
    }

    /// Returns every mistake in the kubeconfig files.
    pub fn mistakes(&self) -> Vec<Finding> {
        self.read().findings
    }

    fn read(&self) -> Read {
        let variable = self.options.kubeconfig_variable.as_deref();
        let listed: Vec<PathBuf> = variable
            .map(|list| std::env::split_paths(list).collect())
            .unwrap_or_default();
        let listed: Vec<_> = listed
            .into_iter()
            .filter(|path| !path.as_os_str().is_empty())
            .collect();
        if let Some(file) = &self.options.kubeconfig {
            return Read::files(std::slice::from_ref(file), true);
        }
        if !listed.is_empty() {
            return Read::files(&listed, false);
        }
        let home = etcetera::home_dir().unwrap_or_default();
        Read::files(&[home.join(".kube").join("config")], false)
    }

    fn context_name(&self, read: &Read, asked: Option<&str>) -> Result<Text, Finding> {
        let wanted = asked
            .or(self.options.context.as_deref())
            .or_else(|| read.current());
        if let Some(name) = wanted {
            if read.context(name, None).is_some() || (name == IN_CLUSTER && in_cluster()) {
                return Ok(name.into());
            }
            return Err(unknown_context(name, read));
        }
        if read.config.contexts.is_empty() && in_cluster() {
            return Ok(IN_CLUSTER.into());
        }
        if let Some(first) = read.findings.first().filter(|_| read.files.is_empty()) {
            return Err(first.clone());
        }
        let sentence = if read.config.contexts.is_empty() {
            "there is no kubeconfig, and this does not run inside a cluster"
        } else {
            "the kubeconfig has no current context"
        };
        Err(Finding::new(Severity::Error, sentence)
            .with_hint("choose one with `--context` or `:ctx`, or look around with `tiphys demo`"))
    }

    async fn config(&self, read: &Read, name: &str) -> Result<Config, Finding> {
        let unusable = |what: String| {
            Finding::new(
                Severity::Error,
                format!("the context `{name}` cannot be used: {what}"),
            )
            .with_hint("correct the kubeconfig, or choose another context")
        };
        let known = read.context(name, None).is_some();
        let mut config = if name == IN_CLUSTER && !known {
            Config::incluster().map_err(|error| unusable(innermost(&error)))?
        } else {
            let options = KubeConfigOptions {
                context: Some(name.to_owned()),
                ..KubeConfigOptions::default()
            };
            Config::from_custom_kubeconfig(read.config.clone(), &options)
                .await
                .map_err(|error| unusable(error.to_string()))?
        };
        config.connect_timeout = Some(CONNECT_TIMEOUT);
        let plain = config.cluster_url.scheme_str() == Some("http") && config.proxy_url.is_none();
        if plain && config.root_cert.is_none() {
            // Nothing to trust: reading the system's certificates takes longer than the first list.
            config.root_cert = Some(Vec::new());
        }
        // The engine decides itself what may be sent twice.
        config.default_retry = false;
        Ok(config)
    }

    fn explain(name: &str, plugin: Option<&ExecConfig>, error: &kube::Error) -> Finding {
        if let (Some(plugin), kube::Error::Auth(AuthError::AuthExecStart(cause))) = (plugin, error)
        {
            let command = plugin.command.as_deref().unwrap_or_default();
            let sentence = format!(
                "cannot connect to the context `{name}`: its credential plugin `{command}` cannot be started: {cause}"
            );
            let hint = plugin
                .install_hint
                .as_deref()
                .unwrap_or("install it, or correct the `command` of this user in the kubeconfig");
            return Finding::new(Severity::Error, sentence).with_hint(hint);
        }
        let fault = Fault::from_client(error);
        fault.into_finding(&format!("cannot connect to the context `{name}`"))
    }

    async fn link(self, asked: Option<Text>) -> Result<Link, Finding> {
        let read = self.read();
        let name = self.context_name(&read, asked.as_deref())?;
        let mut config = self.config(&read, &name).await?;
        if let Some(plugin) = &mut config.auth_info.exec {
            plugin.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        let plugin = config.auth_info.exec.clone();
        let context = read.context(&name, Some(&name)).unwrap_or(ContextInfo {
            name: Text::clone(&name),
            cluster: IN_CLUSTER.into(),
            server: config.cluster_url.to_string().into(),
            user: "service account".into(),
            namespace: config.default_namespace.as_str().into(),
            current: true,
        });
        // Building a client may run a credential plugin, which blocks.
        let building = tokio::task::spawn_blocking({
            let runtime = tokio::runtime::Handle::current();
            move || {
                let _inside = runtime.enter();
                Client::try_from(config)
            }
        });
        let built = tokio::time::timeout(PLUGIN_TIMEOUT, building).await;
        match built {
            Ok(Ok(Ok(client))) => Ok(Link { client, context }),
            Ok(Ok(Err(error))) => Err(Self::explain(&name, plugin.as_ref(), &error)),
            Ok(Err(_)) | Err(_) => Err(Finding::new(
                Severity::Error,
                format!("the credential plugin of `{name}` gives no answer"),
            )
            .with_hint("run it by hand: it may be waiting for a login")),
        }
    }
}

fn in_cluster() -> bool {
    std::path::Path::new(SERVICE_ACCOUNT).exists()
}

fn unknown_context(name: &str, read: &Read) -> Finding {
    let names: Vec<&str> = read
        .config
        .contexts
        .iter()
        .map(|one| one.name.as_str())
        .collect();
    let nearest = crate::domain::nearest::nearest(name, names.iter().copied());
    let meant = nearest.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    let sentence = format!("the kubeconfig has no context `{name}`{meant}");
    Finding::new(Severity::Error, sentence).with_hint("`:ctx` lists the contexts there are")
}

impl Platform for Live {
    fn contexts(&self) -> Result<Vec<ContextInfo>, Finding> {
        let read = self.read();
        let current = self.context_name(&read, None);
        let contexts = read.contexts(current.as_deref().ok());
        match current {
            Err(finding) if contexts.is_empty() => Err(finding),
            Ok(_) | Err(_) => Ok(contexts),
        }
    }

    fn connect(&self, context: Option<Text>) -> BoxFuture<'static, Result<Link, Finding>> {
        self.clone().link(context).boxed()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }

    fn mistakes(&self) -> Vec<Finding> {
        Self::mistakes(self)
    }
}
