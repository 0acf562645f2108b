//! A page from plain text: headings, paragraphs, lists, code, links within the twin. It knows no more
//! than our own pages use, and nothing that is put into it becomes markup by itself.

use std::fmt::Write as _;

/// A page that is being written.
pub(super) struct Page {
    body: String,
    contents: String,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { body: String::new(), contents: String::new() }
    }

    /// Markup of our own.
    pub(super) fn raw(&mut self, markup: &str) {
        self.body.push_str(markup);
        self.body.push('\n');
    }

    /// A heading; those of the second level are in the contents.
    pub(super) fn heading(&mut self, level: usize, text: &str) {
        let (id, text) = (name(text), escaped(text));
        if level == 2 {
            let _ = write!(self.contents, "<li><a href=\"#{id}\">{text}</a></li>");
        }
        self.raw(&format!("<h{level} id=\"{id}\">{text}</h{level}>"));
    }

    /// Text with blank lines between its paragraphs.
    pub(super) fn prose(&mut self, text: &str) {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if line.starts_with("```") {
                let code: Vec<&str> =
                    lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
                let code = escaped(&code.join("\n"));
                self.raw(&format!("<pre tabindex=\"0\"><code>{code}</code></pre>"));
            } else if let Some((marks, text)) =
                line.split_once(' ').filter(|(marks, _)| is_marks(marks))
            {
                self.heading(marks.len(), text);
            } else if let Some(item) = line.strip_prefix("* ") {
                let mut items = format!("<li>{}</li>", inline(item));
                while let Some(item) = lines.peek().and_then(|line| line.strip_prefix("* ")) {
                    let _ = write!(items, "<li>{}</li>", inline(item));
                    lines.next();
                }
                self.raw(&format!("<ul>{items}</ul>"));
            } else if !line.trim().is_empty() {
                self.raw(&format!("<p>{}</p>", inline(line)));
            }
        }
    }

    /// The whole page.
    pub(super) fn done(self) -> String {
        let Self { body, contents } = self;
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>Writing an experience</title>\
             <link rel=\"stylesheet\" href=\"/sdk/base.css\">\
             <link rel=\"stylesheet\" href=\"/shell/docs.css\"></head>\
             <body class=\"docs\"><nav aria-label=\"Contents\"><ul>{contents}</ul></nav>\
             <main>{body}</main></body></html>\n"
        )
    }
}

fn is_marks(text: &str) -> bool {
    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte == b'#')
}

/// The name of a heading within the page.
fn name(text: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    text.chars().map(letter).collect()
}

/// Code between backticks, and links to addresses of this twin.
fn inline(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        if at % 2 == 1 {
            let _ = write!(out, "<code>{}</code>", escaped(part));
            continue;
        }
        let mut rest = part;
        while let Some((before, (label, (target, after)))) = link(rest) {
            let _ = write!(
                out,
                "{}<a href=\"{}\">{}</a>",
                escaped(before),
                escaped(target),
                escaped(label)
            );
            rest = after;
        }
        out.push_str(&escaped(rest));
    }
    out
}

type Link<'a> = (&'a str, (&'a str, (&'a str, &'a str)));

fn link(text: &str) -> Option<Link<'_>> {
    let (before, rest) = text.split_once('[')?;
    let (label, rest) = rest.split_once("](")?;
    let (target, after) = rest.split_once(')')?;
    target.starts_with('/').then_some((before, (label, (target, after))))
}

/// Text that stays text.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> String {
        let mut page = Page::new();
        page.prose(text);
        page.body
    }

    #[test]
    fn plain_text_becomes_a_page_and_never_its_own_markup() {
        assert_eq!(page("## A b\n"), "<h2 id=\"a-b\">A b</h2>\n");
        assert_eq!(
            page("a `<b>` [c](/d)"),
            "<p>a <code>&lt;b&gt;</code> <a href=\"/d\">c</a></p>\n"
        );
        assert_eq!(page("* a\n* b\n\nc"), "<ul><li>a</li><li>b</li></ul>\n<p>c</p>\n");
        assert_eq!(page("```\n<a>\n```"), "<pre tabindex=\"0\"><code>&lt;a&gt;</code></pre>\n");
        assert_eq!(page("<script>1</script>"), "<p>&lt;script&gt;1&lt;/script&gt;</p>\n");
        assert_eq!(page("[x](javascript:1)"), "<p>[x](javascript:1)</p>\n");
    }
}
