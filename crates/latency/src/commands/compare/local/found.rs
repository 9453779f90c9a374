//! All that was found, as a table.

use local_stack::Stack;

use super::{
    super::{
        MEASURED, MODELLED, PUBLISHED, beside, lost_hits, published_notes, told_apart,
        turns::{TURN, closed_loop_note, sequence_note},
    },
    called::Called,
    dollars,
    function::Measured,
    server::MeasuredServer,
};
use crate::{
    circumstances::Circumstances,
    cli::Compare,
    columns,
    cost::{Monthly, Prices},
    model::Model,
    published::{self, Published},
    results::{Group, Results, Row, Table},
};

/// What was measured of a stack.
pub(super) struct Found<'a> {
    stack: &'a Stack,
    pub(super) functions: Vec<Measured<'a>>,
    pub(super) servers: Vec<MeasuredServer<'a>>,
}

impl<'a> Found<'a> {
    /// Nothing is measured yet.
    pub(super) fn nothing(stack: &'a Stack) -> Self {
        Self {
            stack,
            functions: Vec::new(),
            servers: Vec::new(),
        }
    }

    /// Everything that is called, the functions first.
    pub(super) fn called_mut(&mut self) -> Vec<&mut Called> {
        let functions = self.functions.iter_mut().map(|it| &mut it.called);
        let servers = self.servers.iter_mut().map(|it| &mut it.called);
        functions.chain(servers).collect()
    }

    pub(super) fn results(
        &self,
        arguments: &Compare,
        circumstances: Circumstances,
        model: &Model,
    ) -> anyhow::Result<Results> {
        let prices = Prices::eu_west_2()?;
        let published = published::all()?;
        let calls_per_month = &arguments.calls_per_month[..];
        let servers = self.servers.iter().map(|it| it.monthly(&prices));
        let servers = servers.collect::<anyhow::Result<Vec<_>>>()?;
        let paths = self.servers.iter().map(|it| it.server.path());
        let servers_at: Vec<_> = paths.zip(servers.iter().copied()).collect();

        let mut rows = Vec::new();
        let mut warnings = Vec::new();
        for function in &self.functions {
            let name = &function.function.name;
            let mut warn = |warning: &dyn std::fmt::Display| {
                warnings.push(format!("{name}: {warning}"));
            };
            let cost = function.cost(&prices);
            let cost = cost.inspect_err(|error| warn(error)).ok();
            let estimate = function.estimate(model);
            let estimate =
                estimate.inspect_err(|error| warn(&format!("it is not modelled: {error}")));
            let estimate = estimate.ok();
            for warning in function.warnings() {
                warn(&warning);
            }
            let monthly = function.monthly(estimate.as_ref(), &prices)?;
            let row = function.row(cost).estimate(estimate.as_ref());
            let server = cheapest(&servers_at, function.path);
            let row = dollars::beside(row, monthly, calls_per_month, server);
            let row = beside(row, published::beside(name, &published));
            rows.push(remark(row, function.called.remark()));
        }
        // Every other row has the same columns.
        let like = rows.first().cloned().unwrap_or_default();
        for (server, monthly) in self.servers.iter().zip(servers) {
            let name = server.server.name();
            let of_server = server.called.warnings();
            warnings.extend(of_server.iter().map(|it| format!("{name}: {it}")));
            let row = server.row(like.clone());
            let row = match model.waiting(&server.server.waits_for()) {
                Ok(waiting) => server.modelled(row, model, waiting),
                Err(error) => {
                    warnings.push(format!("{name}: it is not modelled: {error}"));
                    row
                }
            };
            let row = dollars::beside(row, Some(monthly), calls_per_month, None);
            let row = beside(row, published::beside(name, &published));
            rows.push(remark(row, server.called.remark()));
        }
        let (names, latencies): (Vec<_>, Vec<_>) = self.called().unzip();
        let mut rows = told_apart::beside(rows, &latencies, &names);
        let like = rows.first().cloned().unwrap_or_default().without_values();
        rows.extend(self.stack.skipped().iter().map(|it| {
            let row = like.clone().text(columns::ARCHITECTURE, &it.name);
            let row = beside(row, published::beside(&it.name, &published));
            remark(row, &format!("skipped: {}", it.reason))
        }));
        Ok(Results {
            title: format!("latency compare {}", arguments.template.template.display()),
            circumstances,
            table: Table::new(rows),
            notes: notes(arguments, model, &published),
            deciding: groups(arguments, model),
            warnings,
            failures: self.failures(),
        })
    }

    /// The names of everything that was called, with what callers saw.
    fn called(&self) -> impl Iterator<Item = (&str, &load::Latencies)> {
        let functions = self.functions.iter();
        let functions = functions.map(|it| (&*it.function.name, &it.called));
        let servers = self.servers.iter();
        let servers = servers.map(|it| (it.server.name(), &it.called));
        let all = functions.chain(servers);
        all.map(|(name, called)| (name, &called.sequential.latencies))
    }

    fn failures(&self) -> u64 {
        let functions = self.functions.iter().map(|it| it.failures().count());
        let servers = self.servers.iter().map(|it| it.called.failures().count());
        functions.chain(servers).sum()
    }
}

/// The server that a function has to be cheaper than: of those that are called at the same path, if there are any.
fn cheapest(servers: &[(&str, Monthly)], path: &str) -> Option<Monthly> {
    let same = |(of_server, _): &&(&str, Monthly)| *of_server == path;
    let has_same = servers.iter().any(|it| same(&it));
    let candidates = servers.iter().filter(|it| !has_same || same(it));
    let prices = candidates.map(|(_, price)| *price);
    prices.min_by(|one, other| one.by_the_hour.total_cmp(&other.by_the_hour))
}

fn groups(arguments: &Compare, model: &Model) -> Vec<Group> {
    let measured = Group {
        heading: "Measured here: what a function does, not what it takes on AWS".to_owned(),
        columns: MEASURED.to_vec(),
    };
    let mut modelled = MODELLED.to_vec();
    let published = modelled.split_off(modelled.len() - PUBLISHED);
    modelled.extend(dollars::columns(&arguments.calls_per_month));
    modelled.extend(published);
    let modelled = Group {
        heading: format!(
            "Modelled for {}: which of these for how many calls a month?",
            model.region()
        ),
        columns: modelled,
    };
    vec![measured, modelled]
}

fn remark(row: Row, remark: &str) -> Row {
    row.text(columns::REMARK, remark)
}

fn notes(arguments: &Compare, model: &Model, published: &[Published]) -> Vec<String> {
    let mut notes = vec![
        sequence_note(arguments.requests, TURN),
        closed_loop_note(),
        format!(
            "init: median of {} fresh environments; of a server: from its start until it was healthy.",
            arguments.starts
        ),
        "billed: mean of the warm invocations, each in whole milliseconds, on this machine's whole core.".to_owned(),
        model.note(),
        "cost: list prices of eu-west-2 without free tier, logs and data transfer, for the warm invocation and the AWS calls it \
         makes. $/month: with what the template's database, its proxy and its servers cost by the hour at least."
            .to_owned(),
        lost_hits::note(arguments.burst),
        told_apart::NOTE.to_owned(),
    ];
    notes.extend(published_notes(published));
    notes
}
