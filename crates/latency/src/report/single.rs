//! The page of one export.

use maud::html;

use super::{
    break_even,
    document::{Document, shown},
    latencies, memory,
    page::{Content, texts},
    table::{filled, table, telling},
    time_line,
};

pub(super) fn content(document: &Document) -> Content {
    let all: Vec<_> = document
        .columns
        .iter()
        .map(|column| column.key.as_str())
        .collect();
    let body = html! {
        header {
            h1 { (document.title) }
            dl {
                dt { "Command" }
                dd { code { (document.command) } }
                dt { "Machine" }
                dd { (document.machine) }
                dt { "Measured at" }
                dd { (shown(document.measured_at)) }
            }
        }
        (texts("warnings", "Warnings", &document.warnings))
        @for (at, group) in document.groups.iter().enumerate() {
            @let id = format!("group-{at}");
            @let keys: Vec<_> = group.columns.iter().map(String::as_str).collect();
            section {
                h2 id=(id) { @if group.heading.is_empty() { "Results" } @else { (group.heading) } }
                (table(&id, Some(at), &telling(document, &keys)))
            }
        }
        @if document.groups.is_empty() {
            section {
                h2 #group-0 { "Results" }
                (table("group-0", Some(0), &filled(document, &all)))
            }
        }
        @for figure in [latencies::figure(document), time_line::figure(document), memory::figure(document), break_even::figure(document)] {
            @if let Some(figure) = figure { (figure) }
        }
        @if !document.groups.is_empty() {
            details #all {
                summary #all-heading { "All columns" }
                (table("all-heading", Some(document.groups.len()), &filled(document, &all)))
            }
        }
        (texts("notes", "Notes", &document.notes))
    };
    Content {
        title: document.title.clone(),
        body,
    }
}
