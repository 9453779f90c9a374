//! Functions and servers of the template under the same users at the same time, beside what was published of them.

use local_lambda::HostSettings;
use local_stack::Stack;

use super::{super::stack, levels, results};
use crate::{
    BadInput,
    circumstances::Circumstances,
    cli::Ramp,
    columns,
    interrupt::Interrupts,
    published::ramp::{self as published, PublishedLevel},
    ramp::{self, Found, Subject},
    results::{Column, Group, Results, Row},
};

pub(super) async fn run(arguments: &Ramp, interrupts: &mut Interrupts) -> anyhow::Result<Results> {
    let published = published::all()?;
    let (template, host) = (&arguments.template, HostSettings::default());
    stack::with_stack(template, 0, host, interrupts, async |stack| {
        let circumstances = Circumstances::now();
        let subjects = subjects(arguments, stack)?;
        let found = levels(arguments, &subjects).await?;
        let names: Vec<_> = subjects.into_iter().filter_map(|it| it.name).collect();
        let mut results = results(
            arguments,
            circumstances,
            &names.join(", "),
            &found,
            |row, found| beside(row, found, &published),
        );
        results.notes.push(TOGETHER.to_owned());
        if found.iter().any(|found| of(found, &published).is_some()) {
            results.deciding = Group::only(&[ramp::DECIDING, PUBLISHED].concat());
            results.notes.push(format!(
                "Published: measured by others on AWS, from outside, in 3 minutes a level ({}).",
                published::SOURCE
            ));
        }
        Ok(results)
    })
    .await
}

const TOGETHER: &str = "All of them run on this machine and get their users at the same time: what disturbs one disturbs all. \
     Their latencies are those of this machine, without a network.";

/// What others measured.
const PUBLISHED: &[Column] = &[
    columns::PUBLISHED_REQUESTS,
    columns::PUBLISHED_FAILURES,
    columns::PUBLISHED_MEDIAN_MS,
    columns::PUBLISHED_MEAN_MS,
];

/// Those that are called: functions first, then servers, in the order in which they were given.
fn subjects(arguments: &Ramp, stack: &Stack) -> Result<Vec<Subject>, BadInput> {
    let mut subjects = Vec::new();
    let mut add = |name: &str, origin: &str, path: &str| {
        let path = arguments.path.as_deref().unwrap_or(path);
        subjects.push(Subject {
            name: Some(name.to_owned()),
            url: format!("{origin}{path}"),
            request: arguments.request.clone(),
            timeout: arguments.common.timeout,
        });
    };
    for name in &arguments.servers {
        let server = stack::server(stack, name)?;
        add(name, &server.url(), server.path());
    }
    for name in &arguments.functions {
        let (_, path) = stack::called(stack, &arguments.template, name)?;
        add(name, &stack.url(), path);
    }
    Ok(subjects)
}

fn of<'a>(found: &Found, published: &'a [PublishedLevel]) -> Option<&'a PublishedLevel> {
    let users = u64::from(found.load.users);
    let mut published = published.iter();
    published.find(|it| Some(&it.subject) == found.name.as_ref() && it.users == users)
}

fn beside(row: Row, found: &Found, published: &[PublishedLevel]) -> Row {
    let published = of(found, published);
    row.optional_count(columns::PUBLISHED_REQUESTS, published.map(|it| it.requests))
        .optional_count(columns::PUBLISHED_FAILURES, published.map(|it| it.failures))
        .number(
            columns::PUBLISHED_MEDIAN_MS,
            published.map(|it| it.median_ms),
        )
        .number(columns::PUBLISHED_MEAN_MS, published.map(|it| it.mean_ms))
}
