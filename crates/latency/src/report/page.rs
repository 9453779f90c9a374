//! What every page has: head, style and script, both named by their hashes, and the little that pictures share.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a page is about, and what stands on it.
pub(super) struct Content {
    pub(super) title: String,
    pub(super) body: Markup,
}

/// The page.
pub(super) fn html(content: Content) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                // A browser that is given an icon, even none, does not ask the server for one.
                link rel="icon" href="data:,";
                title { (content.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main { (content.body) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

/// Nothing is loaded, and nothing runs but what was written here: Content Security Policy Level 3, "Hash source".
fn policy() -> String {
    let hash = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

/// What a reader has to know, and what may be wrong.
pub(super) fn texts(id: &str, heading: &str, texts: &[String]) -> Markup {
    html! {
        @if !texts.is_empty() {
            section id=(id) {
                h2 { (heading) }
                ul {
                    @for text in texts { li { (text) } }
                }
            }
        }
    }
}

/// A place as SVG has it: what is drawn so is as wide as the screen, and its letters are not.
pub(super) fn percent(place: f64) -> String {
    format!("{:.2}%", place * 100.0)
}

/// How the style sheet draws the line of this number: colours and dashes go round at different times, so that many differ.
pub(super) fn series(at: usize) -> String {
    format!("colour-{} dash-{}", at % 8, at % 3)
}
