//! The node's health on the terminal: the sentences are those that browsers show, so that everybody
//! reads the same.

use std::process::ExitCode;

use handover::{Figure, Trouble, Weight};
use serde_json::{Map, Value, json};
use twin::health::spoken;
use twin::messages::Language;

use crate::say::Say;

/// Everything that is wrong, or that nothing is.
pub(crate) fn say(say: &Say, troubles: &[Trouble]) {
    if troubles.is_empty() {
        say.print(say.language().text("health_fine"));
    }
    for trouble in troubles {
        say.print(&text(say, trouble));
    }
}

/// One problem, and how to have done what is offered.
pub(crate) fn text(say: &Say, trouble: &Trouble) -> String {
    let words = spoken(trouble, say.shipped());
    let values = [("title", &*words.title), ("detail", &*words.detail), ("do", &*words.what_to_do)];
    let mut text = say.language().fill("health_item", &values);
    let about =
        if trouble.about.is_empty() { String::new() } else { format!(" {}", trouble.about) };
    for repair in &trouble.repairs {
        let values =
            [("problem", &*trouble.problem), ("about", &*about), ("repair", repair.as_str())];
        text.push('\n');
        text.push_str(&say.language().fill("health_repair", &values));
    }
    text
}

/// One problem in one line.
pub(crate) fn title(say: &Say, trouble: &Trouble) -> String {
    spoken(trouble, say.shipped()).title
}

/// The same for programs: names and numbers are stable, sentences are not.
pub(crate) fn json(troubles: &[Trouble], language: Language<'static>) -> Value {
    let one = |trouble: &Trouble| {
        let words = spoken(trouble, language);
        let figure = |figure: &Figure| match figure {
            Figure::Bytes(n) | Figure::Count(n) | Figure::Seconds(n) => json!(n),
            Figure::Name(name) => json!(name),
        };
        let figures: Map<_, _> =
            trouble.values.iter().map(|(name, value)| (name.clone(), figure(value))).collect();
        json!({
            "problem": trouble.problem,
            "about": trouble.about,
            "weight": trouble.weight,
            "figures": figures,
            "repairs": trouble.repairs,
            "title": words.title,
            "detail": words.detail,
            "what_to_do": words.what_to_do,
        })
    };
    json!({ "items": troubles.iter().map(one).collect::<Vec<_>>() })
}

/// 7 when somebody has to do something now.
pub(crate) fn code(troubles: &[Trouble]) -> ExitCode {
    let pressing = troubles.iter().any(|trouble| trouble.weight == Weight::Now);
    if pressing { ExitCode::from(7) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use twin::messages::Messages;

    /// Every problem that the node can find has its sentences in all languages.
    #[test]
    fn every_problem_of_the_node_has_sentences() {
        for (tag, texts) in Messages::shipped().languages() {
            for problem in executor::health::PROBLEMS {
                for part in ["title", "detail", "do"] {
                    let key = format!("health.{problem}.{part}");
                    assert!(texts.contains_key(&key), "{tag} lacks {key}");
                }
            }
        }
    }
}
