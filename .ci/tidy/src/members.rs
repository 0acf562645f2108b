//! What every crate's manifest says: lints, edition and versions come from the workspace.
//!
//! Features of shared crates are set once, at the root, so that each crate is built once.

use crate::tree::Tree;

/// One sentence per manifest that goes its own way.
pub(crate) fn broken(tree: &Tree) -> Vec<String> {
    tree.ending("", &["Cargo.toml"])
        .filter(|(path, _)| *path != "Cargo.toml")
        .flat_map(|(path, text)| judge(path, text))
        .collect()
}

fn judge(path: &str, text: &str) -> Vec<String> {
    let manifest: toml::Table = match text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("{path} can't be read: {error}")],
    };
    if manifest.contains_key("workspace") {
        return Vec::new(); // Its own workspace, such as fuzz targets, which need their own compiler.
    }
    let mut broken = Vec::new();
    let inherits = |table: &str, key: &str| {
        let value = manifest.get(table).and_then(|t| t.get(key));
        value.and_then(|v| v.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
    };
    for key in ["edition", "license", "publish", "rust-version", "version"] {
        if !inherits("package", key) {
            broken.push(format!("{path} doesn't take `{key}` from the workspace"));
        }
    }
    let lints = manifest.get("lints").and_then(|l| l.get("workspace"));
    if lints.and_then(toml::Value::as_bool) != Some(true) {
        broken.push(format!("{path} doesn't take its lints from the workspace"));
    }
    for table in ["dependencies", "dev-dependencies", "build-dependencies"] {
        let Some(used) = manifest.get(table).and_then(toml::Value::as_table) else {
            continue;
        };
        for name in used.keys().filter(|name| !inherits(table, name)) {
            broken.push(format!("{path} doesn't take {name} from the workspace"));
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[package]\nname = \"a\"\nversion.workspace = true\nedition.workspace = true\n\
        rust-version.workspace = true\nlicense.workspace = true\npublish.workspace = true\n\
        [lints]\nworkspace = true\n[dependencies]\nbytes.workspace = true\n";

    #[test]
    fn own_versions_and_missing_lints_are_caught() {
        let check = |text: &str| broken(&Tree::of(&[("a/Cargo.toml", text)]));
        assert_eq!(check(GOOD), Vec::<String>::new());
        assert_eq!(check(&GOOD.replace("bytes.workspace = true", "bytes = \"1\"")).len(), 1);
        assert_eq!(check(&GOOD.replace("[lints]\nworkspace = true\n", "")).len(), 1);
        assert_eq!(check("[package").len(), 1);
    }
}
