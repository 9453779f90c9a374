//! What can be asked for on the command line.

use std::{
    num::{NonZeroU32, NonZeroU64},
    ops::RangeInclusive,
    path::PathBuf,
    time::Duration,
};

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum, builder::ValueParser};

use load::StepLoad;

use crate::{BadInput, export::Exports, request::RequestOptions};

/// One workload, every serverless architecture, measured.
#[derive(Debug, Parser)]
#[command(name = "latency", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the template's functions on 127.0.0.1 until Ctrl-C
    Up(Up),
    /// One request after the other on one connection
    Probe(Probe),
    /// Fixed work shared among connections, closed loop, best of the runs
    Burst(Burst),
    /// Requests at a rate, open load: whether a server keeps up, and what visitors wait
    Rate(Rate),
    /// Fresh environments of a function: init, first and warm invocation, memory, package size
    Cold(Cold),
    /// Every function of the template, or of a deployed stack, in one run
    Compare(Compare),
    /// A function at several memory sizes: duration, what is billed, cost; modelled, or measured on AWS with --stack
    Tune(Tune),
    /// The model beside what others measured on AWS
    Check(Check),
    /// Calculations through the queue: posted, done by calc-worker, counted
    Calc(Calc),
    /// A page made of JSON exports: of one what it says, of several how they differ
    Report(Report),
    /// Virtual users with a think time, who come in steps, level by level
    Ramp(Ramp),
    /// What `ramp` starts where one process has no room for all users
    #[command(hide = true)]
    RampUsers,
    /// Upload the page with the buttons to a deployed stack
    Publish(Publish),
    /// Fill a table of a database with what the functions read
    Seed(Seed),
}

/// What to serve.
#[derive(Args, Debug)]
pub struct Template {
    /// The SAM template
    #[arg(long, value_name = "FILE", default_value = "template.yaml")]
    pub template: PathBuf,
    /// A value for a parameter of the template; may be given again for another
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
    /// Where the template's database comes from.
    #[command(flatten)]
    pub database: DatabaseOptions,
    /// How far away the backends and the callers are.
    #[command(flatten)]
    pub distances: DistanceOptions,
}

/// How far away the backends and the callers are.
#[derive(Args, Clone, Debug)]
pub struct DistanceOptions {
    /// The Region whose latencies are meant
    #[arg(long, value_name = "NAME", default_value = region::DEFAULT_REGION)]
    pub region: String,
    /// What a call to a backend takes: what it takes here, or at least what it takes in the Region
    #[arg(long, value_enum, default_value = "local")]
    pub backend_latency: BackendLatency,
    /// How long the way from the caller to the Region and back takes, such as 12ms [default: nothing for what is measured]
    #[arg(long, value_name = "TIME", value_parser = duration())]
    pub client_rtt: Option<Duration>,
}

impl Default for DistanceOptions {
    /// Everything as near as it is.
    fn default() -> Self {
        Self {
            region: region::DEFAULT_REGION.to_owned(),
            backend_latency: BackendLatency::Local,
            client_rtt: None,
        }
    }
}

/// What a call to a backend takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BackendLatency {
    /// What it takes on this machine
    Local,
    /// What the Region's profile says
    Region,
}

/// Where the template's database comes from, if it has one.
#[derive(Args, Debug)]
pub struct DatabaseOptions {
    /// How many transcriptions a database of our own has [default: 1000000 if they are in .cache/, otherwise 100000]
    #[arg(long, value_name = "N", conflicts_with = "database_url")]
    pub rows: Option<u64>,
    /// A server that runs already, in place of one of our own: mysql://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(long, value_name = "URL", env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,
}

/// What `latency up` is given.
#[derive(Args, Debug)]
pub struct Up {
    /// What to serve.
    #[command(flatten)]
    pub template: Template,
    /// Which port of 127.0.0.1; 0 for a free one
    #[arg(long, default_value = "9000")]
    pub port: u16,
    /// Stop environments between invocations, as Lambda does
    #[arg(long)]
    pub freeze: bool,
    /// Show no logs of functions
    #[arg(long)]
    pub quiet: bool,
    /// Write the functions' logs to DIRECTORY, a file each, instead of showing them
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "quiet")]
    pub logs: Option<PathBuf>,
    /// Write the functions' variables to FILE, for `cargo lambda watch --env-file FILE`
    #[arg(long, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
}

/// What `latency probe` is given.
#[derive(Args, Debug)]
pub struct Probe {
    /// The http:// or https:// URL to call
    pub url: String,
    /// How many requests
    #[arg(short = 'n', long, value_name = "N", default_value = "1000")]
    pub requests: NonZeroU64,
    /// What is sent.
    #[command(flatten)]
    pub request: RequestOptions,
    /// Who sends the requests.
    #[command(flatten)]
    pub from_lambda: FromLambda,
    /// The deployed CloudFormation stack whose output names that function
    #[arg(
        long,
        value_name = "NAME",
        default_value = "latency",
        requires = "from_lambda"
    )]
    pub stack: String,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// Who sends the requests.
#[derive(Args, Debug)]
pub struct FromLambda {
    /// Have a Lambda function send the requests: FUNCTION, or what the stack's output LatencyProbeFunction names
    #[arg(id = "from_lambda", long = "from-lambda", value_name = "FUNCTION", num_args = 0..=1)]
    pub function: Option<Option<String>>,
}

/// What `latency burst` is given.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("subject").required(true).args(["url", "functions"]))]
pub struct Burst {
    /// The http:// or https:// URL to call
    pub url: Option<String>,
    /// Serve the template and call this function of it; may be given again for another
    #[arg(long = "function", value_name = "NAME")]
    pub functions: Vec<String>,
    /// How many connections, each with one request at a time; for functions, several numbers with commas between them
    #[arg(short, long, value_name = "N", required = true, value_delimiter = ',')]
    pub connections: Vec<NonZeroU64>,
    /// How many requests in each run, all connections together
    #[arg(short, long, value_name = "M")]
    pub amount: NonZeroU64,
    /// How long to call before the first run; its answers are not counted [default: 30s for a URL, 5s for a function]
    #[arg(long, value_name = "TIME", value_parser = duration())]
    pub warm_up: Option<Duration>,
    /// How many runs; the best is told
    #[arg(long, value_name = "RUNS", default_value = "2")]
    pub runs: NonZeroU64,
    /// What is sent.
    #[command(flatten)]
    pub request: RequestOptions,
    /// What to serve.
    #[command(flatten)]
    pub template: Template,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// What `latency rate` is given.
#[derive(Args, Debug)]
pub struct Rate {
    /// The http:// or https:// URL to call
    pub url: String,
    /// How many requests, such as 1000/s or 90/m
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: f64,
    /// How long
    #[arg(long = "for", value_name = "TIME", value_parser = duration())]
    pub time: Duration,
    /// Change the rate evenly until it is this in the end, and say from which rate on the server falls behind
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub ramp_to: Option<f64>,
    /// How requests are spread: evenly, or as those of visitors who know nothing of each other
    #[arg(long, value_enum, default_value = "constant")]
    pub arrivals: Arrivals,
    /// The most connections; a request that finds none free waits, and that is part of its latency
    #[arg(long, value_name = "N", default_value = "1000")]
    pub connections_max: NonZeroU32,
    /// What is sent.
    #[command(flatten)]
    pub request: RequestOptions,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// How requests are spread over the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Arrivals {
    /// Evenly
    Constant,
    /// Independently of each other
    Poisson,
}

/// What `latency ramp` is given.
#[derive(Args, Debug)]
#[command(group = ArgGroup::new("subject").required(true).multiple(true).args(["url", "functions", "servers"]))]
pub struct Ramp {
    /// The http:// or https:// URL to call
    #[arg(conflicts_with_all = ["functions", "servers"])]
    pub url: Option<String>,
    /// Serve the template and call this function of it; may be given again for another. All get the same users at the same
    /// time
    #[arg(long = "function", value_name = "NAME")]
    pub functions: Vec<String>,
    /// The same for a server of the template
    #[arg(long = "server", value_name = "NAME")]
    pub servers: Vec<String>,
    /// The path and query that are called of each function and server [default: where `compare` calls it]
    #[arg(long, value_name = "PATH", conflicts_with = "url")]
    pub path: Option<String>,
    /// What to serve.
    #[command(flatten)]
    pub template: Template,
    /// Who calls it.
    #[command(flatten)]
    pub users: UsersOptions,
    /// Write the time line of all levels to FILE as CSV, with the columns of Locust's stats_history.csv
    #[arg(long, value_name = "FILE")]
    pub history: Option<PathBuf>,
    /// What is sent.
    #[command(flatten)]
    pub request: RequestOptions,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// Virtual users, and when they come. What is not said is as in the published comparison.
#[derive(Args, Clone, Debug)]
pub struct UsersOptions {
    /// How many users; several numbers with commas between them, a level each, which begins with no user
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "50,100,200,400,800,1500",
        value_parser = clap::value_parser!(u32).range(1..)
    )]
    pub levels: Vec<u32>,
    /// How long a user waits between an answer and the next request: uniform between these two
    #[arg(long, value_name = "TIME-TIME", default_value = "5s-9s", value_parser = think_time)]
    pub think_time: (Duration, Duration),
    /// How many users are started a second
    #[arg(long, value_name = "N", default_value = "10", value_parser = positive)]
    pub spawn_rate: f64,
    /// Which share of a level's users comes with each step, up to 1: that is all at once
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share)]
    pub step: f64,
    /// From the beginning of a step to that of the next
    #[arg(long, value_name = "TIME", default_value = "15s", value_parser = duration())]
    pub step_length: Duration,
    /// How long a level lasts
    #[arg(long, value_name = "TIME", default_value = "3m", value_parser = duration())]
    pub duration: Duration,
    /// Divide all these times by FACTOR, and start as many more users a second
    #[arg(long, value_name = "FACTOR", default_value = "1", value_parser = positive)]
    pub speed: f64,
    /// Open a connection for each request, as part of its latency
    #[arg(long)]
    pub new_connections: bool,
}

impl UsersOptions {
    /// The load of each level, at its speed.
    pub fn levels(&self) -> impl Iterator<Item = StepLoad> {
        self.levels.iter().map(|&users| {
            let load = StepLoad {
                users,
                think_time: self.think_time,
                spawn_rate: self.spawn_rate,
                step_share: self.step,
                step_length: self.step_length,
                duration: self.duration,
                new_connections: self.new_connections,
            };
            load.at_speed(self.speed)
        })
    }
}

/// What `latency cold` is given.
#[derive(Args, Debug)]
pub struct Cold {
    /// The function's name: the last part of its CodeUri
    pub function: String,
    /// How many fresh environments
    #[arg(short = 'n', long, value_name = "N", default_value = "20")]
    pub starts: NonZeroU64,
    /// What to serve.
    #[command(flatten)]
    pub template: Template,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// What `latency compare` is given.
#[derive(Args, Debug)]
pub struct Compare {
    /// How many requests to each function, one after the other
    // So many that p99.9 is one: see the module `warnings`.
    #[arg(short = 'n', long, value_name = "N", default_value = "3000")]
    pub requests: NonZeroU64,
    /// How many fresh environments of each function
    #[arg(long, value_name = "N", default_value = "10")]
    pub starts: NonZeroU64,
    /// Measure this deployed CloudFormation stack: each function with an output for its URL, as CounterS3Url is that of
    /// the function CounterS3, which gets the row counter-s3
    #[arg(long, value_name = "NAME", conflicts_with_all = ["template", "parameters", "starts"])]
    pub stack: Option<String>,
    /// Who sends the requests.
    #[command(flatten)]
    pub from_lambda: FromLambda,
    /// How many hits each counter gets at once, by 64 connections, to see whether it loses some; 0 to leave that out
    #[arg(long, value_name = "N", default_value = "6400")]
    pub burst: u64,
    /// How many calls a month to tell the cost of; several numbers with commas between them
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        default_value = "1000000,10000000,1000000000"
    )]
    pub calls_per_month: Vec<NonZeroU64>,
    /// The directory for compare.html, compare.md, compare.json, compare.csv and compare.svg
    #[arg(long, value_name = "DIRECTORY", default_value = "out")]
    pub out: PathBuf,
    /// What to serve.
    #[command(flatten)]
    pub template: Template,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

impl Compare {
    /// The files in the directory, which is made if it is missing.
    ///
    /// # Errors
    /// It can't be made.
    pub fn files(&self) -> Result<Exports, BadInput> {
        std::fs::create_dir_all(&self.out)
            .map_err(|error| BadInput(format!("{} can't be made: {error}", self.out.display())))?;
        let file = |name: &str| Some(self.out.join(name));
        Ok(Exports {
            json: file("compare.json"),
            csv: file("compare.csv"),
            markdown: file("compare.md"),
            svg: file("compare.svg"),
            html: file("compare.html"),
        })
    }
}

/// What `latency tune` is given.
#[derive(Args, Debug)]
pub struct Tune {
    /// The function: the name of its row in `compare`; of a deployed one also its logical id, or its name in Lambda
    pub function: String,
    /// Measure it in this deployed CloudFormation stack, beside the model. For a moment the function has each memory size;
    /// then it gets its own back
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
    /// The memory sizes in MB, smallest first, with commas between them
    #[arg(
        long,
        value_name = "MB",
        value_delimiter = ',',
        default_value = "128,256,512,1024,1769,3008",
        value_parser = clap::value_parser!(u32).range(MEMORY_MB)
    )]
    pub memory: Vec<u32>,
    /// How many invocations with each memory size on AWS; the first is a cold start and kept apart
    #[arg(
        short = 'n',
        long,
        value_name = "N",
        default_value = "50",
        requires = "stack"
    )]
    pub invocations: NonZeroU64,
    /// What to serve, to record the function.
    #[command(flatten)]
    pub template: Template,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// The memory sizes that Lambda has, in MB (Lambda quotas, "Function memory allocation").
const MEMORY_MB: RangeInclusive<i64> = 128..=10_240;

impl Tune {
    /// The memory sizes.
    ///
    /// # Errors
    /// One of them does not come after the one before it.
    pub fn memory_sizes(&self) -> Result<&[u32], BadInput> {
        match self.memory.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(BadInput(format!(
                "--memory: {} after {}: give each size once, smallest first",
                pair[1], pair[0]
            ))),
            None => Ok(&self.memory),
        }
    }
}

/// What `latency check` is given.
#[derive(Args, Debug)]
pub struct Check {
    /// Write what was recorded of our functions to FILE as JSON
    #[arg(long, value_name = "FILE")]
    pub recordings: Option<PathBuf>,
    /// What to serve, to record the functions.
    #[command(flatten)]
    pub template: Template,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// What `latency calc` is given.
#[derive(Args, Debug)]
pub struct Calc {
    /// How many calculations
    #[arg(value_name = "N")]
    pub calculations: NonZeroU64,
    /// How long a calculation takes at most, in seconds: each takes a time at random from 0 up to it
    #[arg(value_name = "MAX", value_parser = seconds)]
    pub longest: Duration,
    /// How many connections post calculations
    #[arg(short, long, value_name = "N", default_value = "8")]
    pub connections: NonZeroU64,
    /// How long to wait for them to be done, once all are posted
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = duration())]
    pub within: Duration,
    /// What to serve.
    #[command(flatten)]
    pub template: Template,
    /// What every measuring command is given.
    #[command(flatten)]
    pub common: Common,
}

/// What `latency report` is given.
#[derive(Args, Debug)]
pub struct Report {
    /// What --export-json wrote; several are compared in the order in which they were measured
    #[arg(value_name = "FILE.json", required = true)]
    pub exports: Vec<PathBuf>,
    /// The page
    #[arg(long, value_name = "FILE.html", default_value = "report.html")]
    pub out: PathBuf,
}

/// What `latency publish` is given.
#[derive(Args, Debug)]
pub struct Publish {
    /// The deployed CloudFormation stack, which has a bucket for the page: its parameter Page is public
    #[arg(long, value_name = "NAME", default_value = "latency")]
    pub stack: String,
}

/// What `latency seed` is given.
#[derive(Args, Debug)]
pub struct Seed {
    /// The table, or the tables, made if they are missing. Rows that are there stay as they are
    #[arg(value_enum)]
    pub table: Table,
    /// How many transcriptions [default: 1000000]
    #[arg(long, value_name = "N")]
    pub rows: Option<u64>,
    /// How many customers the readings are of [default: 5000]
    #[arg(long, value_name = "N")]
    pub customers: Option<u64>,
    /// How many readings each customer has; more customers can be added later, more readings of each can not [default: 10]
    #[arg(long, value_name = "N")]
    pub readings_each: Option<u64>,
    /// The server: mysql://USER:PASSWORD@HOST:PORT/DATABASE
    #[arg(
        long,
        value_name = "URL",
        env = "DATABASE_URL",
        hide_env_values = true,
        required_unless_present = "stack"
    )]
    pub database: Option<String>,
    /// The deployed CloudFormation stack whose own database it is, in place of a URL. The accounts that its functions log in
    /// with are made, too
    #[arg(long, value_name = "NAME")]
    pub stack: Option<String>,
}

/// A table that can be filled.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Table {
    /// What rds-direct, rds-pooled and rds-proxy read
    Transcriptions,
    /// What readings and readings-server read: customers and their readings
    Readings,
}

/// What a database is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// So many transcriptions.
    Transcriptions(u64),
    /// Customers and their readings.
    Readings {
        /// How many customers.
        customers: u64,
        /// How many readings of each.
        each: u64,
    },
}

impl Seed {
    /// What is asked for.
    ///
    /// # Errors
    /// An option is given that is for another table.
    pub fn rows(&self) -> Result<Rows, BadInput> {
        let (customers, each) = (self.customers, self.readings_each);
        match (self.table, self.rows) {
            (Table::Transcriptions, _) if customers.or(each).is_some() => Err(BadInput(
                "--customers and --readings-each are for readings: transcriptions take --rows"
                    .to_owned(),
            )),
            (Table::Transcriptions, rows) => {
                Ok(Rows::Transcriptions(rows.unwrap_or(TRANSCRIPTIONS)))
            }
            (Table::Readings, Some(_)) => Err(BadInput(
                "--rows is for transcriptions: readings take --customers and --readings-each"
                    .to_owned(),
            )),
            (Table::Readings, None) => Ok(Rows::Readings {
                customers: customers.unwrap_or(CUSTOMERS),
                each: each.unwrap_or(READINGS_EACH),
            }),
        }
    }
}

/// As many transcriptions as the published comparison has.
const TRANSCRIPTIONS: u64 = 1_000_000;

/// As many customers as the published study has.
pub(crate) const CUSTOMERS: u64 = 5_000;

/// As many readings of each as the published study has.
pub(crate) const READINGS_EACH: u64 = 10;

/// What every measuring command is given.
#[derive(Args, Debug)]
pub struct Common {
    /// How long one request may take
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration())]
    pub timeout: Duration,
    /// Show all columns, not just those that decide
    #[arg(long, action = ArgAction::SetTrue)]
    pub wide: bool,
    /// Exit with 0 even though requests failed
    #[arg(long, action = ArgAction::SetTrue)]
    pub allow_failures: bool,
    /// Where the results go.
    #[command(flatten)]
    pub exports: Exports,
}

/// Reads the command line.
///
/// # Errors
/// It makes no sense. The help and the version text come as `Err(Ok(text))`.
pub fn parse<I>(arguments: I) -> Result<Cli, Result<String, BadInput>>
where
    I: IntoIterator,
    I::Item: Into<std::ffi::OsString> + Clone,
{
    Cli::try_parse_from(arguments).map_err(|error| {
        let text = error.render().to_string();
        if error.use_stderr() {
            Err(BadInput(one_line(&text)))
        } else {
            Ok(text)
        }
    })
}

/// clap's first paragraph, on one line.
fn one_line(text: &str) -> String {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let paragraph = text.split("\n\n").next().unwrap_or(text);
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn parameter(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "it has to be NAME=VALUE".to_owned())
}

/// Requests a second.
fn rate(text: &str) -> Result<f64, String> {
    let (number, seconds) = match text.split_once('/') {
        None | Some((_, "s")) => (text.trim_end_matches("/s"), 1.0),
        Some((number, "m" | "min")) => (number, 60.0),
        Some(_) => ("", 1.0),
    };
    number
        .parse::<f64>()
        .ok()
        .map(|number| number / seconds)
        .filter(|rate| rate.is_finite() && *rate > 0.0)
        .ok_or_else(|| "it has to be a number above 0, such as 1000/s or 90/m".to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "it has to be a number")?;
    Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())
}

fn think_time(text: &str) -> Result<(Duration, Duration), String> {
    let (least, most) = text.split_once('-').unwrap_or((text, text));
    let [least, most] = [least, most].map(|time| humantime::parse_duration(time.trim()));
    let [least, most] = [least, most].map(|time| time.map_err(|error| error.to_string()));
    match (least?, most?) {
        (least, most) if least <= most => Ok((least, most)),
        _ => Err("the first has to be the shorter one".to_owned()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "it has to be a number")?;
    // Far beyond what any machine does, and within what a duration can be divided by.
    match (1e-6..=1e9).contains(&number) {
        true => Ok(number),
        false => Err("it has to be more than 0".to_owned()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match positive(text)? {
        share if share <= 1.0 => Ok(share),
        _ => Err("it has to be 1 at most".to_owned()),
    }
}

fn duration() -> ValueParser {
    ValueParser::new(humantime::parse_duration)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn error(line: &str) -> String {
        parse(line.split(' ')).unwrap_err().unwrap_err().to_string()
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_burst_is_for_a_url_or_for_functions() {
        let burst = |line: &str| match parse(line.split(' ')).unwrap().command {
            Command::Burst(burst) => burst,
            other => panic!("{other:?}"),
        };
        let url = burst("latency burst http://127.0.0.1/ --connections 4 --amount 10");
        assert_eq!(url.runs.get(), 2);
        assert!(url.functions.is_empty());
        let sweep = burst("latency burst --function a --function b -c 10,50 -a 10");
        assert_eq!(sweep.functions, ["a", "b"]);
        assert_eq!(sweep.connections.len(), 2);
        let both = error("latency burst http://127.0.0.1/ --function a -c 1 -a 1");
        assert!(both.contains("cannot be used with"), "{both}");
        let neither = error("latency burst -c 1 -a 1");
        assert!(neither.contains("<URL|--function <NAME>>"), "{neither}");
    }

    #[test]
    fn a_probe_is_sent_from_here_from_the_stacks_function_or_from_a_named_one() {
        let from_lambda = |line: &str| {
            let cli = parse(line.split(' ')).unwrap();
            let Command::Probe(probe) = cli.command else {
                panic!("{cli:?}")
            };
            (probe.from_lambda.function, probe.stack)
        };
        let latency = || "latency".to_owned();
        assert_eq!(from_lambda("latency probe http://x/"), (None, latency()));
        assert_eq!(
            from_lambda("latency probe http://x/ --from-lambda"),
            (Some(None), latency())
        );
        assert_eq!(
            from_lambda("latency probe http://x/ --from-lambda f --stack s"),
            (Some(Some("f".to_owned())), "s".to_owned())
        );
        assert!(error("latency probe http://x/ --stack s").contains("--from-lambda"));
    }

    #[test]
    fn a_rate_is_so_many_a_second_or_a_minute() {
        for (text, found) in [
            ("1000/s", 1000.0),
            ("0.5", 0.5),
            ("90/m", 1.5),
            ("90/min", 1.5),
        ] {
            assert_eq!(rate(text), Ok(found), "{text}");
        }
        for text in ["", "0", "-1/s", "NaN", "inf/s", "5/h", "5/s/s", "/s"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_deployed_stack_has_no_template_and_no_fresh_environments() {
        for conflict in ["--template t.yaml", "--parameter A=b", "--starts 3"] {
            let line = format!("latency compare --stack s {conflict}");
            assert!(error(&line).contains("cannot be used with"), "{line}");
        }
    }

    #[test]
    fn memory_sizes_are_those_of_lambda_each_once_and_the_smallest_first() {
        let sizes = |sizes: &str| {
            let line = format!("latency tune f --stack s --memory {sizes}");
            match parse(line.split(' ')).unwrap().command {
                Command::Tune(tune) => tune.memory_sizes().map(<[u32]>::to_vec),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(sizes("128,1769,10240").unwrap(), [128, 1769, 10_240]);
        for (twice, told) in [
            ("128,256,256", "256 after 256"),
            ("512,128", "128 after 512"),
        ] {
            let error = sizes(twice).unwrap_err().to_string();
            assert!(error.starts_with(&format!("--memory: {told}")), "{error}");
        }
        for (size, told) in [
            ("127", "127 is not in 128..=10240"),
            ("256,10241", "10241 is not in 128..=10240"),
            ("much", "invalid digit"),
        ] {
            let error = error(&format!("latency tune f --stack s --memory {size}"));
            assert!(
                error.contains("--memory <MB>") && error.contains(told),
                "{error}"
            );
        }
    }

    #[test]
    fn a_ramp_is_the_published_one_unless_it_is_said_otherwise() {
        let levels = |line: &str| match parse(line.split(' ')).unwrap().command {
            Command::Ramp(ramp) => ramp.users.levels().collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let published = [50, 100, 200, 400, 800, 1_500].map(StepLoad::published);
        assert_eq!(levels("latency ramp http://x/"), published);
        let fast = levels("latency ramp http://x/ --levels 50 --speed 10");
        assert_eq!(fast, [StepLoad::published(50).at_speed(10.0)]);
        let [load] = &levels("latency ramp http://x/ --levels 7 --think-time 100ms --step 1")[..]
        else {
            panic!()
        };
        assert_eq!(
            load.think_time,
            (Duration::from_millis(100), Duration::from_millis(100))
        );
        for (option, told) in [
            ("--think-time 9s-5s", "shorter"),
            ("--think-time soon", "expected number"),
            ("--speed 0", "more than 0"),
            ("--speed NaN", "more than 0"),
            ("--step 1.5", "1 at most"),
            ("--levels 0", "0 is not in"),
            ("--levels many", "invalid digit"),
        ] {
            let error = error(&format!("latency ramp http://x/ {option}"));
            assert!(error.contains(told), "{option}: {error}");
        }
    }

    #[test]
    fn a_table_is_filled_with_what_is_published_unless_told_otherwise() {
        let rows = |line: &str| {
            let line = format!("latency seed {line} --database u");
            match parse(line.split(' ')).unwrap().command {
                Command::Seed(seed) => seed.rows().map_err(|error| error.to_string()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(rows("transcriptions"), Ok(Rows::Transcriptions(1_000_000)));
        assert_eq!(rows("transcriptions --rows 7"), Ok(Rows::Transcriptions(7)));
        let readings = |customers, each| Ok(Rows::Readings { customers, each });
        assert_eq!(rows("readings"), readings(5_000, 10));
        assert_eq!(
            rows("readings --customers 3 --readings-each 0"),
            readings(3, 0)
        );
        for (line, told) in [
            ("readings --rows 7", "--rows is for transcriptions"),
            ("transcriptions --customers 7", "are for readings"),
            ("transcriptions --readings-each 7", "are for readings"),
        ] {
            let error = rows(line).unwrap_err();
            assert!(error.contains(told), "{line}: {error}");
        }
    }

    #[test]
    fn bad_input_is_told_in_one_line() {
        assert_eq!(
            error("latency probe http://127.0.0.1/ -n 0"),
            "invalid value '0' for '--requests <N>': number would be zero for non-zero type"
        );
        assert_eq!(
            error("latency probe"),
            "the following required arguments were not provided: <URL>"
        );
        assert!(error("latency burst http://x/ -c 1 -a 1 --warm-up soon").contains("--warm-up"));
        for (longest, reason) in [("-1", "negative"), ("NaN", "NaN"), ("long", "a number")] {
            let error = error(&format!("latency calc 10 -- {longest}"));
            assert!(error.contains("<MAX>") && error.contains(reason), "{error}");
        }
        assert!(error("latency explode").contains("unrecognized subcommand 'explode'"));
    }

    #[test]
    fn the_help_is_not_an_error() {
        let help = parse(["latency", "--help"]).unwrap_err().unwrap();
        assert!(help.contains("Usage: latency <COMMAND>"), "{help}");
    }
}
