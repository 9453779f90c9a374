//! The deploy test: the repository's template through the real `sam deploy` into the emulator, with its conditions true and
//! false, and everything that was deployed tried. What the emulator lacks, and so does not show, is in `gaps`.
//!
//! A deployment mostly waits, so several go on side by side, each with an emulator of its own.

mod account;
mod checks;
mod combinations;
mod deployed;
mod fixtures;
mod gaps;
mod log;
mod packages;
mod project;
mod sam;

use std::{collections::BTreeMap, path::Path};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use local_lambda::HostSettings;
use local_stack::{DatabaseSettings, Distances, Settings, Stack};

use crate::{
    account::Account,
    checks::{
        agreement::{self, Understood},
        event_sources, invocations, lifecycle, observability, page, roles, routes, secrets,
        servers,
    },
    combinations::Combination,
    deployed::Deployed,
    log::say,
    project::{PACKAGES, Project},
    sam::Sam,
};

/// Where `make functions-arm64` builds.
const PACKAGES_FOR_ARM64: &str = "target/lambda-arm64";

/// How many deployments go on at once.
const SIDE_BY_SIDE: usize = 3;

/// Runs the whole test for the repository at `root`. The first thing that is wrong ends it.
pub async fn run(root: &Path) -> anyhow::Result<()> {
    let root = &root.canonicalize()?;
    let account = Account::open(root).await?;
    log::gathered(
        "what the emulator lacks, and what is done instead",
        gaps::still_there(&account),
    )
    .await?;
    account.close().await?;

    let template = root.join("template.yaml");
    let parameters = BTreeMap::from([("Architecture".to_owned(), "arm64".to_owned())]);
    let arm64 = Deployment {
        combination: Combination::with(&template, parameters)?,
        tries: Tries::Description,
    };
    let combinations = Combination::all(&template)?.into_iter().enumerate();
    let deployments = combinations.map(|(at, combination)| Deployment {
        combination,
        tries: match at {
            0 => Tries::Updates,
            _ => Tries::Functions,
        },
    });
    stream::iter(deployments.chain([arm64]))
        .map(|deployment| async move {
            let name = format!("sam deploy with {}", deployment.combination);
            log::gathered(&name, deployment.run(root)).await
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect()
        .await
}

/// The template deployed with some parameters.
struct Deployment {
    combination: Combination,
    tries: Tries,
}

/// What of a deployment is tried.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tries {
    /// What was made, every function, and the deletion.
    Functions,
    /// The same, and updates.
    Updates,
    /// What was made: the emulator can't run programs for arm64.
    Description,
}

impl Deployment {
    async fn run(&self, root: &Path) -> anyhow::Result<()> {
        match self.tries {
            Tries::Description => for_arm64(root, &self.combination).await,
            tries => everything(root, &self.combination, tries == Tries::Updates).await,
        }
    }
}

/// Deploys, tries everything, and deletes.
async fn everything(root: &Path, combination: &Combination, updates: bool) -> anyhow::Result<()> {
    let understood = understood(root, combination).await?;
    let functions = &understood.functions;
    let project = Project::copy(root, &root.join(PACKAGES), &combination.conditions)?;
    let account = Account::open(root).await?;
    let sam = Sam::new(root, account.endpoint())?;
    let before = account.inventory().await?;
    sam.deploy(project.directory(), &combination.parameters)
        .await?;
    let deployed = Deployed::read(&account, &combination.conditions).await?;
    say!("{} resources", deployed.resources.len());
    gaps::maximum_concurrency::set(&account).await?;

    agreement::check(&account, &deployed, &understood).await?;
    roles::check(&account, &deployed).await?;
    secrets::check(&deployed)?;
    servers::check(&account, &deployed).await?;
    observability::check(&account, &deployed).await?;
    page::check(&account, &deployed).await?;
    gaps::service_integrations::may_be_used(&account, &deployed).await?;
    gaps::database_server::may_be_used(&account, &deployed).await?;

    let _database = gaps::database_server::lead_to_mariadb(&account, &deployed).await?;
    let _cache = gaps::cache_server::lead_to_memcached(&account, &deployed).await?;
    invocations::check(&account, &deployed, functions, root).await?;
    gaps::definition::add_routes(&account, &deployed).await?;
    routes::check(&account, &deployed, functions, root).await?;
    event_sources::check(&account, &deployed, functions, root).await?;

    if updates {
        lifecycle::second_deployment(&account, &sam, &project, combination).await?;
        if let Some(function) = functions.first() {
            lifecycle::changed_function(&account, &sam, &project, combination, function).await?;
        }
        invocations::check(&account, &deployed, functions, root).await?;
    }
    roles::are_needed(&account, &deployed, functions, root).await?;
    gaps::full_bucket::empty(&account, &deployed).await?;
    lifecycle::deletion(&account, &sam, &project, &deployed, &before).await?;
    account.close().await
}

/// Deploys programs for arm64, which the emulator can't run: they are looked at.
async fn for_arm64(root: &Path, combination: &Combination) -> anyhow::Result<()> {
    let understood = understood(root, combination).await?;
    let packages = root.join(PACKAGES_FOR_ARM64);
    for function in &understood.functions {
        packages::check(&packages.join(&function.name), function.architecture)?;
    }
    let project = Project::copy(root, &packages, &combination.conditions)?;
    let account = Account::open(root).await?;
    let sam = Sam::new(root, account.endpoint())?;
    sam.deploy(project.directory(), &combination.parameters)
        .await?;
    let deployed = Deployed::read(&account, &combination.conditions).await?;
    gaps::maximum_concurrency::set(&account).await?;
    agreement::check(&account, &deployed, &understood).await?;
    account.close().await
}

/// What a local run makes of the template.
async fn understood(root: &Path, combination: &Combination) -> anyhow::Result<Understood> {
    let stack = Stack::start(Settings {
        template: root.join("template.yaml"),
        parameters: combination.parameters.clone(),
        port: 0,
        host: HostSettings::default(),
        ministack: backends::ministack::find_program(root)?,
        tools: local_stack::find_tools(root)?,
        durable: false,
        distances: Distances::default(),
        database: DatabaseSettings::default(),
    })
    .await?;
    let understood = Understood::of(&stack).await;
    stack.stop().await?;
    understood
}
