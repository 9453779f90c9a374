//! Every function of a deployed stack whose URL is one of the stack's outputs.

mod function;

use self::function::{DeployedFunction, INVOCATIONS};
use super::{
    super::{
        deployed::{COST_NOTE, functions},
        from_lambda::Prober,
        target,
    },
    DEPLOYED, beside, lost_hits, published_notes, told_apart,
    turns::{TURN, WARM_UP, closed_loop_note, in_closed_loop, in_sequence, sequence_note},
};
use crate::{
    aws::Aws,
    circumstances::Circumstances,
    cli::Compare,
    cost::Prices,
    output::Progress,
    published,
    results::{Group, Results, Table},
};

/// Requests that latency-probe sends to one function before the next one's turn. Each turn opens a connection of its own,
/// and the first request on one may be slower: so few first ones stay out of p99.
const TURN_FROM_LAMBDA: u64 = 250;

pub(super) async fn run(arguments: &Compare, stack: &str) -> anyhow::Result<Results> {
    let circumstances = Circumstances::now();
    let aws = Aws::load().await?;
    let prober = match &arguments.from_lambda.function {
        None => None,
        Some(named) => {
            let timeout = arguments.common.timeout;
            Some(Prober::find(&aws, named.as_deref(), stack, timeout).await?)
        }
    };
    let functions = functions(&aws, stack).await?;
    let mut subjects: Vec<_> = functions.into_iter().map(DeployedFunction::new).collect();
    let warnings = look_at(&aws, &mut subjects).await;
    match &prober {
        None => call_from_here(arguments, &mut subjects).await?,
        Some(prober) => call_from_lambda(arguments, prober, &mut subjects).await?,
    }
    results(
        arguments,
        stack,
        circumstances,
        prober.as_ref(),
        &subjects,
        warnings,
    )
}

/// Has a look at each function. Where that fails, a warning says why.
async fn look_at(aws: &Aws, subjects: &mut [DeployedFunction]) -> Vec<String> {
    let progress = Progress::bar(
        "invoking each function for its reports",
        subjects.len() as u64,
    );
    let mut warnings = Vec::new();
    for subject in subjects {
        if let Err(error) = subject.look_at(aws).await {
            warnings.push(format!("{}: not all is known of it: {error}", subject.name));
        }
        progress.advance(1);
    }
    progress.finish();
    warnings
}

async fn call_from_here(
    arguments: &Compare,
    subjects: &mut [DeployedFunction],
) -> anyhow::Result<()> {
    let requests = arguments.requests.get();
    let mut targets = Vec::new();
    for subject in &*subjects {
        targets.push(target(&subject.url.to_string(), arguments.common.timeout).await?);
    }
    let progress = Progress::bar(
        "calling one after the other",
        (WARM_UP + requests) * targets.len() as u64,
    );
    in_sequence(targets.clone(), WARM_UP, &progress).await?;
    let sequential = in_sequence(targets.clone(), requests, &progress).await?;
    progress.finish();
    let closed_loop = in_closed_loop(&targets).await?;
    let bursts = lost_hits::bursts(&targets, arguments.burst, async || {}).await?;
    let measured = sequential.into_iter().zip(closed_loop).zip(bursts);
    for (subject, ((sequential, closed_loop), burst)) in subjects.iter_mut().zip(measured) {
        subject.sequential = sequential;
        subject.closed_loop = Some(closed_loop);
        subject.burst = burst;
    }
    Ok(())
}

async fn call_from_lambda(
    arguments: &Compare,
    prober: &Prober<'_>,
    subjects: &mut [DeployedFunction],
) -> anyhow::Result<()> {
    let requests = arguments.requests.get();
    let progress = Progress::bar(
        &format!("having {} call", prober.description()),
        (WARM_UP + requests) * subjects.len() as u64,
    );
    for subject in &*subjects {
        let advance = |made| progress.advance(made);
        prober.run(&subject.url, WARM_UP, advance).await?;
    }
    let mut left = requests;
    while left > 0 {
        let turn = left.min(TURN_FROM_LAMBDA);
        for subject in &mut *subjects {
            let advance = |made| progress.advance(made);
            let measured = prober.run(&subject.url, turn, advance).await?;
            subject.sequential.merge(&measured);
        }
        left -= turn;
    }
    progress.finish();
    Ok(())
}

fn results(
    arguments: &Compare,
    stack: &str,
    circumstances: Circumstances,
    prober: Option<&Prober<'_>>,
    subjects: &[DeployedFunction],
    mut warnings: Vec<String>,
) -> anyhow::Result<Results> {
    let prices = Prices::eu_west_2()?;
    let published = published::all()?;
    let mut rows = Vec::new();
    let mut failed = 0;
    for subject in subjects {
        let name = &subject.name;
        let row = subject.row(subject.cost(&prices)?);
        rows.push(beside(row, published::beside(name, &published)));
        failed += subject.failures().count();
        let of_subject = subject.warnings();
        warnings.extend(
            of_subject
                .iter()
                .map(|warning| format!("{name}: {warning}")),
        );
    }
    let latencies: Vec<_> = subjects.iter().map(|it| &it.sequential.latencies).collect();
    let names: Vec<_> = subjects.iter().map(|it| &*it.name).collect();
    let rows = told_apart::beside(rows, &latencies, &names);
    let mut notes = notes(arguments, prober);
    notes.extend(published_notes(&published));
    Ok(Results {
        title: format!("latency compare --stack {stack}"),
        circumstances,
        table: Table::new(rows),
        deciding: Group::only(DEPLOYED),
        notes,
        warnings,
        failures: failed,
    })
}

fn notes(arguments: &Compare, prober: Option<&Prober<'_>>) -> Vec<String> {
    let requests = arguments.requests;
    let mut notes = match prober {
        None => vec![
            "Measured from this machine: the way to the Region and back is in every latency."
                .to_owned(),
            sequence_note(requests, TURN),
            closed_loop_note(),
            lost_hits::note(arguments.burst),
        ],
        Some(prober) => vec![
            format!("Measured from {}.", prober.description()),
            sequence_note(requests, TURN_FROM_LAMBDA),
            "Each turn is an invocation with a connection of its own. It calls on one connection only: there is no \
             requests/s."
                .to_owned(),
        ],
    };
    notes.extend([
        format!(
            "init, billed, peak memory: as Lambda reported them of {INVOCATIONS} direct invocations. Init is that of the \
             cold starts among them, billed is the mean of the others."
        ),
        COST_NOTE.to_owned(),
        told_apart::NOTE.to_owned(),
    ]);
    notes
}
