//! What every page is drawn with: a title, lines that fit, a QR code.
//!
//! Never draws what could steer a terminal: what comes from outside is cleaned.

use twin::messages::Language;

use super::Seen;

/// The name of the machine, over every page.
pub(super) fn title(seen: &Seen, language: Language<'_>) -> String {
    let address = seen.screen.as_ref().map_or("", |screen| screen.address.as_str());
    let version = env!("CARGO_PKG_VERSION");
    let values = [("address", address), ("version", version)];
    bold(&language.fill("console_title", &values))
}

/// In strong letters.
pub(super) fn bold(text: &str) -> String {
    format!("\x1b[1m{}\x1b[0m", clean(text))
}

/// Without what could steer a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).collect()
}

/// Lines of at most so many letters, broken between words and indented as they were; a longer word has a
/// line of its own.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.lines() {
        let part = clean(part);
        let words = part.trim_start_matches(' ');
        let indent = " ".repeat(part.len() - words.len());
        let mut line = indent.clone();
        for word in words.split(' ') {
            let length = line.chars().count() + 1 + word.chars().count();
            if line.len() > indent.len() && length > width {
                lines.push(std::mem::replace(&mut line, indent.clone()));
            }
            if line.len() > indent.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

/// A fingerprint in groups of four, which can be compared by eye.
pub(super) fn groups(hex: &str) -> Vec<String> {
    let letters: Vec<char> = clean(hex).chars().collect();
    let fours: Vec<String> = letters.chunks(4).map(|four| four.iter().collect()).collect();
    fours.chunks(8).map(|line| line.join(" ")).collect()
}

/// The text as a QR code, black on white whatever the terminal's own colours are; two of its rows in
/// each line.
pub(super) fn qr(text: &str) -> Vec<String> {
    let Ok(code) = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::L) else {
        return Vec::new();
    };
    let (width, colours) = (code.width(), code.to_colors());
    let dark = |x: usize, y: usize| {
        let inside = (QUIET..width + QUIET).contains(&x) && (QUIET..width + QUIET).contains(&y);
        let at = (y.wrapping_sub(QUIET)).wrapping_mul(width).wrapping_add(x.wrapping_sub(QUIET));
        inside && colours.get(at) == Some(&qrcode::Color::Dark)
    };
    let row = |y: usize| {
        let pair = |x| match (dark(x, y), dark(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let cells: String = (0..width + 2 * QUIET).map(pair).collect();
        format!("\x1b[30;47m{cells}\x1b[0m")
    };
    (0..width + 2 * QUIET).step_by(2).map(row).collect()
}

/// Two blocks side by side.
pub(super) fn beside(left: &[String], right: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for at in 0..left.len().max(right.len()) {
        let left = left.get(at).map_or("", String::as_str);
        let right = right.get(at).map_or("", String::as_str);
        lines.push(if right.is_empty() { left.to_owned() } else { format!("{left}  {right}") });
    }
    lines
}

/// Bright modules around a code. Four are asked for; two are enough for cameras, and a screen has 25
/// lines.
const QUIET: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_lose_no_word() {
        let text = "one two three four\nfive";
        assert_eq!(wrap(text, 9), ["one two", "three", "four", "five"]);
        assert_eq!(wrap("averyveryverylongword a", 5), ["averyveryverylongword", "a"]);
        assert_eq!(wrap("a\x1b[2Jb", 80), ["a[2Jb"], "nothing steers the terminal");
        assert_eq!(wrap("  1  try it", 9), ["  1  try", "  it"]);
        assert_eq!(wrap("", 80), Vec::<String>::new());
    }

    #[test]
    fn a_fingerprint_is_in_groups() {
        let lines = groups(&"0123456789abcdef".repeat(4));
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0], "0123 4567 89ab cdef 0123 4567 89ab cdef");
    }

    #[test]
    fn a_code_fits_on_the_smallest_screen() {
        let lines = qr("https://hometwin.local/pair#abcdefghjk");
        assert!((10..=17).contains(&lines.len()), "{}", lines.len());
        // Finder pattern: the first rows begin with seven dark modules inside the quiet border.
        assert!(lines[1].contains("  █▀▀▀▀▀█"), "{}", lines[1]);
    }
}
