//! One function on 127.0.0.1:9000: `cargo run --example serve -- target/lambda/empty/bootstrap`.

use std::{collections::BTreeMap, error::Error, path::PathBuf, time::Duration};

use local_lambda::{
    FrontDoors, Function, Host, HostSettings, Integration, Route, RouteMethod, serve,
};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let program: PathBuf = std::env::args_os()
        .nth(1)
        .ok_or("usage: serve PROGRAM")?
        .into();
    let program = program.canonicalize()?;
    let function = Function {
        name: "function".to_owned(),
        arguments: Vec::new(),
        directory: program
            .parent()
            .ok_or("a program lies in a directory")?
            .to_owned(),
        program,
        handler: "bootstrap".to_owned(),
        environment: BTreeMap::new(),
        memory_mb: 128,
        timeout: Duration::from_secs(3),
        reserved_concurrency: None,
    };
    let host = Host::new(vec![function], HostSettings::default())?;
    let routes = vec![Route {
        method: RouteMethod::Any,
        path: "$default".to_owned(),
        integration: Integration::Function("function".to_owned()),
    }];
    let doors = FrontDoors {
        routes,
        function_urls: vec!["function".to_owned()],
    };
    let listener = TcpListener::bind("127.0.0.1:9000").await?;
    serve(listener, host, doors, std::future::pending()).await?;
    Ok(())
}
