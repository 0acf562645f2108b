//! What HTML and JavaScript under `ui` may hold.
//!
//! Reads by simple search, not by parsing: a false alarm is cured by writing the line more plainly.

use crate::tree::Tree;

/// One sentence per import of an experience that is neither its own file nor the SDK.
pub(crate) fn broken_imports(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.ending("ui/experiences/", &[".js", ".mjs", ".html"]) {
        for (number, line) in (1..).zip(text.lines()) {
            for start in IMPORTS {
                for target in targets(line, start) {
                    if !target.starts_with("./") || target.contains("..") {
                        broken.push(format!("{path}:{number} imports {target:?}"));
                    }
                }
            }
        }
    }
    broken
}

/// One sentence per inline script, style or handler, and per word that no message file holds.
pub(crate) fn broken_markup(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.ending("ui/", &[".html"]) {
        let text = without_comments(text);
        let mut before_scripts = false;
        for piece in text.split('<').skip(1) {
            let (tag, words) = piece.split_once('>').unwrap_or((piece, ""));
            let name = tag.split_whitespace().next().unwrap_or_default().to_lowercase();
            if name == "style" || name == "script" && !tag.contains("src=") {
                broken.push(format!("{path} has an inline {name}"));
            }
            for attribute in attributes(tag).iter().filter(|a| is_code(a)) {
                broken.push(format!("{path} has an inline {attribute} at <{name}>"));
            }
            // A page's title until its script has read the messages, and what is shown without
            // scripts, can't come from a message file.
            match name.as_str() {
                "title" | "noscript" => before_scripts = true,
                "/title" | "/noscript" => before_scripts = false,
                _ => {}
            }
            if words.chars().any(char::is_alphabetic) && !before_scripts {
                broken.push(format!("{path} has its own words: {:?}", words.trim()));
            }
        }
    }
    broken
}

/// One sentence per place where a script could turn text into markup or code.
pub(crate) fn broken_scripts(tree: &Tree) -> Vec<String> {
    let mut broken = Vec::new();
    for (path, text) in tree.ending("ui/", &[".js", ".mjs"]) {
        for (number, line) in (1..).zip(text.lines()) {
            let code = line.trim_start();
            if code.starts_with("//") || code.starts_with('*') || code.starts_with("/*") {
                continue;
            }
            for sink in SINKS.iter().filter(|sink| code.contains(**sink)) {
                broken.push(format!("{path}:{number} uses {sink}"));
            }
        }
    }
    broken
}

const IMPORTS: &[&str] = &["from ", "from", "import ", "import", "import(", "src=", "href="];

const SINKS: &[&str] = &[
    "innerHTML",
    "outerHTML",
    "insertAdjacentHTML",
    "setHTMLUnsafe",
    "document.write",
    "eval(",
    "new Function(",
    "javascript:",
];

/// What stands in quotes right after `start`.
fn targets<'a>(line: &'a str, start: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices(start) {
        let rest = &line[at + start.len()..];
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\''))
            && let Some((target, _)) = rest[1..].split_once(quote)
        {
            found.push(target);
        }
    }
    found
}

fn attributes(tag: &str) -> Vec<&str> {
    let names = tag.split_whitespace().skip(1).filter_map(|part| part.split_once('='));
    names.map(|(name, _)| name).collect()
}

fn is_code(attribute: &str) -> bool {
    attribute == "style" || attribute.starts_with("on")
}

fn without_comments(text: &str) -> String {
    let mut pieces = text.split("<!--");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |all, piece| all + piece.split_once("-->").map_or("", |(_, rest)| rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_from_elsewhere_is_caught() {
        let check = |js: &str| broken_imports(&Tree::of(&[("ui/experiences/a/a.js", js)])).len();
        assert_eq!(check("import { twin } from \"./sdk/twin.js\";\nimport './b.js';\n"), 0);
        assert_eq!(check("import { x } from \"../shell/x.js\";\n"), 1);
        assert_eq!(check("import { x } from 'https://else.where/x.js';\n"), 1);
        assert_eq!(check("const x = await import(\"/shell/x.js\");\n"), 1);
        assert_eq!(check("import \"lit\";\n"), 1);
    }

    #[test]
    fn inline_code_and_own_words_are_caught() {
        let check = |html: &str| broken_markup(&Tree::of(&[("ui/a.html", html)])).len();
        let good = "<!-- words --><title>Home twin</title><script src=\"./a.js\"></script>\n<p id=\"a\"></p>";
        assert_eq!(check(good), 0);
        assert_eq!(check("<script>alert(1)</script>"), 2);
        assert_eq!(check("<style></style>"), 1);
        assert_eq!(check("<p style=\"color: red\"></p>"), 1);
        assert_eq!(check("<p onclick=\"go()\"></p>"), 1);
        assert_eq!(check("<button>Send</button>"), 1);
        assert_eq!(check("<noscript><p>Needs JavaScript.</p></noscript><p>Hi</p>"), 1);
    }

    #[test]
    fn a_markup_sink_is_caught() {
        let check = |js: &str| broken_scripts(&Tree::of(&[("ui/a.js", js)])).len();
        assert_eq!(check("// never innerHTML\nlist.replaceChildren();\n"), 0);
        assert_eq!(check("list.innerHTML = text;\n"), 1);
        assert_eq!(check("setTimeout(() => eval(text));\n"), 1);
    }
}
