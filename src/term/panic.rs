//! A panic in any thread: the terminal is given back first, then the user learns where the
//! report is, and the loop ends.

use std::backtrace::Backtrace;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

static PANICKED: AtomicBool = AtomicBool::new(false);
static WAKE: Notify = Notify::const_new();

/// Waits until some thread has panicked.
pub async fn panicked() {
    let woken = WAKE.notified();
    if !PANICKED.load(Ordering::SeqCst) {
        woken.await;
    }
}

/// Makes every panic restore the terminal, write a report into `folder` and say where it is.
pub fn install_panic_hook(folder: PathBuf) {
    std::panic::set_hook(Box::new(move |panic| {
        let first = !PANICKED.swap(true, Ordering::SeqCst);
        let left = super::give_back().is_ok();
        WAKE.notify_waiters();
        WAKE.notify_one();
        // A panic while another unwinds would only hide the first.
        if first {
            tell(panic, &folder, left);
        }
    }));
}

fn tell(panic: &PanicHookInfo<'_>, folder: &Path, left: bool) {
    let report = report_of(panic);
    let path = folder.join(format!("panic-{}.txt", std::process::id()));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, &report));
    let mut text = String::from("\ntiphys has stopped because of a mistake in it.\n");
    let place = match written {
        Ok(()) => format!("the report is in {}\n", path.display()),
        Err(error) => format!(
            "the report cannot be written to {}: {error}\n{report}",
            path.display()
        ),
    };
    text.push_str(&place);
    text.push_str(&first_line(panic));
    if !left {
        text.push_str("hint: the terminal may need `reset`\n");
    }
    // Standard error may be closed; there is nobody else to tell.
    let _told = std::io::stderr().write_all(text.as_bytes()).is_ok();
}

fn first_line(panic: &PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = panic
        .location()
        .map(ToString::to_string)
        .unwrap_or_default();
    format!("{message} ({place})\n")
}

fn report_of(panic: &PanicHookInfo<'_>) -> String {
    let mut report = format!(
        "tiphys {} on {} {}\n",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    report.push_str(&first_line(panic));
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("without a name");
    // Writing into a String cannot be refused.
    let _written = writeln!(report, "thread: {name}\n\n{}", Backtrace::force_capture()).is_ok();
    report
}
