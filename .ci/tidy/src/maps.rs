//! The folder maps in the pages are the folders that exist.
//!
//! A map is the first fenced block below a heading with the word "map". A folder ends with `/`;
//! one that is indented stands inside the last one that is indented less.

use std::collections::BTreeSet;

/// One sentence per folder that is on the map only, or in the tree only.
pub(crate) fn broken(page: &str, text: &str, folders: &BTreeSet<String>) -> Vec<String> {
    let Some(map) = block(text) else {
        return vec![format!("{page} has no folder map")];
    };
    let drawn = read(&map);
    let mut broken = Vec::new();
    for folder in drawn.iter().filter(|folder| !folders.contains(*folder)) {
        broken.push(format!("{page} shows {folder}, which doesn't exist"));
    }
    for folder in folders.iter().filter(|folder| belongs(folder) && !drawn.contains(*folder)) {
        broken.push(format!("{page} doesn't show {folder}"));
    }
    broken
}

/// Two levels, and each experience; deeper ones are a crate's own business.
fn belongs(folder: &str) -> bool {
    let parts: Vec<&str> = folder.trim_end_matches('/').split('/').collect();
    match parts.as_slice() {
        [_] | ["ui", "experiences", _] => true,
        [_, inside] => *inside != "src",
        _ => false,
    }
}

fn block(text: &str) -> Option<String> {
    let is_map = |line: &&str| line.starts_with('#') && line.to_lowercase().contains("map");
    let mut lines = text.lines().skip_while(|line| !is_map(line)).skip(1);
    lines.find(|line| line.starts_with("```"))?;
    Some(lines.take_while(|line| !line.starts_with("```")).collect::<Vec<_>>().join("\n"))
}

fn read(map: &str) -> BTreeSet<String> {
    let mut parents: Vec<(usize, String)> = Vec::new();
    let mut drawn = BTreeSet::new();
    for line in map.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        parents.retain(|(outer, _)| *outer < indent);
        let inside = parents.last().map(|(_, path)| path.clone()).unwrap_or_default();
        for token in line.split_whitespace().take_while(|t| is_path(t)).filter(|t| t.ends_with('/'))
        {
            let path = format!("{inside}{token}");
            parents.retain(|(outer, _)| *outer < indent);
            parents.push((indent, path.clone()));
            drawn.insert(path);
        }
    }
    drawn
}

/// Names of files and folders may stand side by side at the start of a line; prose follows.
fn is_path(token: &str) -> bool {
    token.ends_with('/') || token.contains('.') && !token.ends_with('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A\n## Folder map\n```\nappliance/  what runs\n  store/    the journal\n\
        ui/\n  shell/ sdk/  pages\n  experiences/\n    chat/  talk\n```\n";

    fn tree() -> BTreeSet<String> {
        ["appliance/", "appliance/store/", "appliance/store/src/", "ui/", "ui/shell/", "ui/sdk/"]
            .into_iter()
            .chain(["ui/experiences/", "ui/experiences/chat/", "ui/experiences/chat/messages/"])
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn a_true_map_passes() {
        assert_eq!(broken("p", PAGE, &tree()), Vec::<String>::new());
    }

    #[test]
    fn a_folder_only_in_the_tree_or_only_on_the_map_is_caught() {
        let mut more = tree();
        more.insert("appliance/relay/".to_owned());
        assert_eq!(broken("p", PAGE, &more), ["p doesn't show appliance/relay/"]);
        let mut less = tree();
        less.remove("ui/sdk/");
        assert_eq!(broken("p", PAGE, &less), ["p shows ui/sdk/, which doesn't exist"]);
        assert_eq!(broken("p", "# A\nno map\n", &tree()).len(), 1);
    }
}
