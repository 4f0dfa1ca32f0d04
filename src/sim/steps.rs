//! What containers that run to their end do: the steps of Workflows and of TaskRuns.
//!
//! No process runs. What a step prints, how long it takes, what it leaves behind and how it ends
//! is its [`Behaviour`]: declared by a [`StepProfile`] of the scenario, or else told from its
//! shell words, or else by what its image is known for. Its [`Effect`]s are real: a trait object
//! carries them out when the step ends well, and a step whose effect is refused fails.
//!
//! A controller says which step a container is by an annotation on the pod ([`PodNote`]); the
//! kubelet runs such pods and reports as upstream's helper containers do: outputs of Workflows as
//! a `WorkflowTaskResult`, results of TaskRuns in the termination message.

mod behaviour;
mod effect;
mod known;
mod note;
mod profile;
mod report;
mod shell;

pub use behaviour::{Behaviour, Step, Steps};
pub use effect::{Doer, Effect, Effects, NoEffects};
pub use note::{NOTE, PodNote, StepNote, Turn};
pub use profile::{DeclaredEffect, StepProfile};
pub use report::{Report, task_result, termination_message};
