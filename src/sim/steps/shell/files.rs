//! The files that scripts see: texts by their absolute paths; folders end with a slash.

use super::Shell;

impl Shell<'_> {
    pub(super) fn absolute(&self, path: &str) -> String {
        let joined = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("{}/{path}", self.folder)
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in joined.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop();
                }
                part => parts.push(part),
            }
        }
        format!("/{}", parts.join("/"))
    }

    pub(super) fn files_at(&self, path: &str) -> Option<&String> {
        self.files.get(&self.absolute(path))
    }

    pub(super) fn is_file(&self, path: &str) -> bool {
        self.files_at(path).is_some()
    }

    pub(super) fn is_folder(&self, path: &str) -> bool {
        let folder = format!("{}/", self.absolute(path).trim_end_matches('/'));
        let built_in = ["/", "/tmp/", "/workspace/", "/etc/", "/root/"];
        built_in.contains(&folder.as_str())
            || self.files.keys().any(|known| known.starts_with(&folder))
    }

    pub(super) fn write(&mut self, path: &str, text: String) {
        let path = self.absolute(path);
        self.written.insert(path.clone(), text.clone());
        self.files.insert(path, text);
    }

    pub(super) fn make_folder(&mut self, path: &str) {
        let folder = format!("{}/", self.absolute(path).trim_end_matches('/'));
        self.written.insert(folder.clone(), String::new());
        self.files.insert(folder, String::new());
    }

    pub(super) fn remove(&mut self, path: &str) {
        let pattern = self.absolute(path);
        let folder = format!("{}/", pattern.trim_end_matches('/'));
        let is_gone = |known: &String| {
            *known == pattern
                || known.starts_with(&folder)
                || (pattern.contains('*') && crate::domain::globs::matches(&pattern, known))
        };
        let gone: Vec<String> = self
            .files
            .keys()
            .filter(|known| is_gone(known))
            .cloned()
            .collect();
        for path in gone {
            self.files.remove(&path);
            self.written.remove(&path);
            self.removed.push(path);
        }
    }

    /// Returns the names in a folder.
    pub(super) fn names_in(&self, path: &str) -> Vec<String> {
        let folder = format!("{}/", self.absolute(path).trim_end_matches('/'));
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|known| known.strip_prefix(&folder))
            .filter_map(|rest| rest.split('/').next())
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        names.sort();
        names.dedup();
        names
    }
}
