//! The deploy test: the repository's template through the real `sam deploy` into the emulator, in each combination of its
//! conditions, and everything that was deployed tried. What the emulator lacks, and so can't show, is in `gaps`.

mod account;
mod checks;
mod combinations;
mod deployed;
mod fixtures;
mod gaps;
mod packages;
mod project;
mod sam;

use std::{collections::BTreeMap, path::Path};

use local_lambda::HostSettings;
use local_stack::{DatabaseSettings, Settings, Stack};

use crate::{
    account::Account,
    checks::{
        agreement::{self, Understood},
        event_sources, invocations, lifecycle, observability, roles, routes, secrets,
    },
    combinations::Combination,
    deployed::Deployed,
    project::{PACKAGES, Project},
    sam::Sam,
};

/// Where `make functions-arm64` builds.
const PACKAGES_FOR_ARM64: &str = "target/lambda-arm64";

/// Says what was done, so that a reader of the log sees what was covered.
macro_rules! say {
    ($($text:tt)*) => { println!("   {}", format_args!($($text)*)) };
}
pub(crate) use say;

/// Runs the whole test for the repository at `root`. The first thing that is wrong ends it.
pub async fn run(root: &Path) -> anyhow::Result<()> {
    let root = &root.canonicalize()?;
    println!("== what the emulator lacks, and what is done instead");
    let account = Account::open(root).await?;
    gaps::still_there(&account).await?;
    account.close().await?;

    let template = root.join("template.yaml");
    for combination in Combination::all(&template)? {
        println!("== sam deploy with {combination}");
        everything(root, &combination).await?;
    }
    let parameters = BTreeMap::from([("Architecture".to_owned(), "arm64".to_owned())]);
    let combination = Combination::with(&template, parameters)?;
    println!("== sam deploy with {combination}");
    for_arm64(root, &combination).await
}

/// Deploys, tries everything, and deletes.
async fn everything(root: &Path, combination: &Combination) -> anyhow::Result<()> {
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
    observability::check(&account, &deployed).await?;
    gaps::service_integrations::may_be_used(&account, &deployed).await?;
    gaps::database_server::may_be_used(&account, &deployed).await?;

    let _database = gaps::database_server::lead_to_mariadb(&account, &deployed).await?;
    invocations::check(&account, &deployed, functions, root).await?;
    gaps::definition::add_routes(&account, &deployed).await?;
    routes::check(&account, &deployed, functions, root).await?;
    event_sources::check(&account, &deployed, functions, root).await?;

    lifecycle::second_deployment(&account, &sam, &project, combination).await?;
    if let Some(function) = functions.first() {
        lifecycle::changed_function(&account, &sam, &project, combination, function).await?;
    }
    invocations::check(&account, &deployed, functions, root).await?;
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
        durable: false,
        database: DatabaseSettings::default(),
    })
    .await?;
    let understood = Understood::of(&stack).await;
    stack.stop().await?;
    understood
}
