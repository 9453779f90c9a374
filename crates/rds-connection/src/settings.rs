//! Where the database is and how a program gets in, from its environment variables.

use std::{fmt, fs::File, io, num::ParseIntError, path::PathBuf, time::SystemTime};

use environment::{MissingVariable, credentials_from, variable};
use mysql_async::{Opts, OptsBuilder, SslOpts};

use crate::{Error, iam::Tokens};

/// The port of MySQL, unless another is given.
const PORT: u16 = 3306;
/// What a packet may have, in bytes: the server's own default. Given, so that the driver does not ask for it.
const MAX_ALLOWED_PACKET: usize = 16 * 1024 * 1024;
/// Given, so that the driver does not ask for it. It is used by the driver's pool alone, which is not used here.
const WAIT_TIMEOUT: usize = 28_800;

/// How to connect: the database, and a password or IAM authentication.
///
/// | variable | |
/// |---|---|
/// | `DATABASE_HOST` | `host` or `host:port`; the port is 3306 unless given |
/// | `DATABASE_NAME` | the database |
/// | `DATABASE_USER` | the user |
/// | `DATABASE_PASSWORD` | the user's password. Without it: IAM authentication, always over TLS |
/// | `DATABASE_CA_FILE` | a PEM file of root certificates that are trusted besides Mozilla's. An RDS Proxy has a certificate of Amazon Trust Services, which is one of these; a database itself has one of the RDS certificate authority of its Region |
///
/// IAM authentication takes `AWS_REGION` and the credentials, which Lambda sets.
pub struct ConnectionSettings {
    options: Opts,
    tokens: Option<Tokens>,
}

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A variable is needed and not there.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// The part of `DATABASE_HOST` behind the colon.
    #[error("the port in DATABASE_HOST is not a whole number up to 65535")]
    Port(#[source] ParseIntError),
    /// The file that `DATABASE_CA_FILE` names. Without it, no connection would ever be made.
    #[error("the file in DATABASE_CA_FILE can't be read: {0}")]
    CaFile(#[source] io::Error),
}

impl ConnectionSettings {
    /// From the environment.
    ///
    /// # Errors
    ///
    /// When a variable is missing or not as it should be.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from_variables(variable)
    }

    /// The same from another source than the environment.
    ///
    /// # Errors
    ///
    /// Those of `variable` for what is required, and when one is not as it should be.
    pub fn from_variables<F>(variable: F) -> Result<Self, SettingsError>
    where
        F: Fn(&'static str) -> Result<String, MissingVariable>,
    {
        let host = variable("DATABASE_HOST")?;
        let (host, port) = match host.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(SettingsError::Port)?),
            None => (host.as_str(), PORT),
        };
        let user = variable("DATABASE_USER")?;
        let password = variable("DATABASE_PASSWORD").ok();
        let tokens = match password {
            Some(_) => None,
            None => Some(Tokens::new(
                format!("{host}:{port}"),
                &user,
                variable("AWS_REGION")?,
                credentials_from(&variable)?,
            )),
        };
        let ssl_opts = match tokens {
            Some(_) => Some(tls(variable("DATABASE_CA_FILE").ok())?),
            None => None,
        };
        let options = OptsBuilder::default()
            .ip_or_hostname(host)
            .tcp_port(port)
            .db_name(Some(variable("DATABASE_NAME")?))
            .user(Some(user))
            .pass(password)
            // These three would be asked for in a query of its own.
            .prefer_socket(false)
            .max_allowed_packet(Some(MAX_ALLOWED_PACKET))
            .wait_timeout(Some(WAIT_TIMEOUT))
            // The token is sent as it is, so it is sent over TLS only: with these options the driver takes nothing else.
            .enable_cleartext_plugin(tokens.is_some())
            .ssl_opts(ssl_opts);
        Ok(Self {
            options: options.into(),
            tokens,
        })
    }

    /// With the token as the password, where IAM is the way.
    pub(crate) fn options(&self) -> Result<Opts, Error> {
        let options = self.options.clone();
        let Some(tokens) = &self.tokens else {
            return Ok(options);
        };
        let token = tokens.token(SystemTime::now()).map_err(Error::Token)?;
        Ok(OptsBuilder::from_opts(options).pass(Some(token)).into())
    }
}

fn tls(ca_file: Option<String>) -> Result<SslOpts, SettingsError> {
    let Some(ca_file) = ca_file else {
        return Ok(SslOpts::default());
    };
    File::open(&ca_file).map_err(SettingsError::CaFile)?;
    Ok(SslOpts::default().with_root_certs(vec![PathBuf::from(ca_file).into()]))
}

/// Without the password.
impl fmt::Debug for ConnectionSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("ConnectionSettings")
            .field("host", &self.options.ip_or_hostname())
            .field("port", &self.options.tcp_port())
            .field("database", &self.options.db_name())
            .field("user", &self.options.user())
            .field("tokens", &self.tokens)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::settings;

    fn variables(host: &str) -> Vec<(&'static str, String)> {
        vec![
            ("DATABASE_HOST", host.to_owned()),
            ("DATABASE_NAME", "calls".to_owned()),
            ("DATABASE_USER", "reader".to_owned()),
            ("AWS_REGION", "eu-west-2".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI".to_owned()),
        ]
    }

    #[test]
    fn the_port_is_3306_unless_given() {
        for (host, port) in [("proxy.example", 3306), ("proxy.example:13306", 13306)] {
            let settings = settings(&variables(host)).unwrap();
            assert_eq!(settings.options.ip_or_hostname(), "proxy.example");
            assert_eq!(settings.options.tcp_port(), port);
        }
    }

    #[test]
    fn a_port_that_is_none_is_told() {
        for host in [
            "proxy.example:",
            "proxy.example:mysql",
            "proxy.example:65536",
        ] {
            let error = settings(&variables(host)).unwrap_err();
            assert!(matches!(error, SettingsError::Port(_)), "{host}");
        }
    }

    #[test]
    fn a_certificate_file_that_is_missing_is_told_before_anybody_connects() {
        let mut variables = variables("proxy.example");
        variables.push(("DATABASE_CA_FILE", "/nowhere/global-bundle.pem".to_owned()));
        let error = settings(&variables).unwrap_err();
        assert!(matches!(error, SettingsError::CaFile(_)), "{error}");
        assert!(error.to_string().contains("No such file"), "{error}");
        // With a password there is no TLS, and no certificate to check.
        variables.push(("DATABASE_PASSWORD", "open-sesame".to_owned()));
        settings(&variables).unwrap();
    }

    #[test]
    fn without_a_password_a_token_is_sent_over_tls() {
        let settings = settings(&variables("proxy.example")).unwrap();
        let options = settings.options().unwrap();
        assert!(options.ssl_opts().is_some() && options.enable_cleartext_plugin());
        let token = options.pass().unwrap();
        assert!(token.starts_with("proxy.example:3306/?Action=connect&DBUser=reader&"));
    }

    #[test]
    fn with_a_password_no_credentials_are_needed_and_nothing_is_sent_in_the_clear() {
        let mut variables = variables("127.0.0.1");
        variables.truncate(3);
        variables.push(("DATABASE_PASSWORD", "open-sesame".to_owned()));
        let settings = settings(&variables).unwrap();
        let options = settings.options().unwrap();
        assert_eq!(options.pass(), Some("open-sesame"));
        assert!(!options.enable_cleartext_plugin());
        assert!(!format!("{settings:?}").contains("open-sesame"));
    }

    #[test]
    fn what_is_missing_is_named() {
        let all = variables("proxy.example");
        for missing in 0..all.len() {
            let mut variables = all.clone();
            let (name, _) = variables.remove(missing);
            let error = settings(&variables).unwrap_err();
            assert!(matches!(error, SettingsError::Missing(MissingVariable(it)) if it == name));
        }
    }
}
