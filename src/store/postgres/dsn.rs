//! The connection string of a server: where it is, how its certificate is checked, and how it is named without its password.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

/// How long one address may take to answer, where the connection string has no `connect_timeout`.
const CONNECT: Duration = Duration::from_secs(10);
/// How soon a connection whose other end is gone is noticed.
const IDLE: Duration = Duration::from_secs(30);
const PROBES: u32 = 3;

/// The shortest password that is looked for in messages: shorter ones are in other words.
const SHORTEST: usize = 6;

/// A connection string that has been understood: a URL, or words like `host=... user=...`. It is never shown as a whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    pub(super) config: Config,
    pub(super) check: Check,
    server: String,
}

/// What is demanded of the certificate that a server shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing is demanded: the connection is encrypted, and may be with anybody.
    Nothing,
    /// Somebody who is trusted has signed it.
    Signed(Roots),
    /// It is signed, and made out to the name of the host.
    Named(Roots),
}

/// Who is trusted to sign certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Those whom the system trusts.
    System,
    /// Those whose certificates are in this file.
    File(PathBuf),
}

impl Dsn {
    /// Understands a connection string.
    ///
    /// # Errors
    /// When it is none: why, without anything of its own text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Taken { rest, mode, roots } = take_tls(text.trim())?;
        let mut config: Config = rest.parse().map_err(|error: tokio_postgres::Error| {
            let why = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
            // Other texts of the parser may hold some of the password.
            match why.strip_prefix("invalid value for option ") {
                Some(option) => format!("it has an invalid value for {option}"),
                None => "it can't be read, or has an option that is not supported here".to_owned(),
            }
        })?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err("it names no host".to_owned());
        }
        let roots = match roots.as_deref() {
            None => None,
            Some("system") => Some(Roots::System),
            Some(path) => Some(Roots::File(path.into())),
        };
        let (ssl, check) = match (mode.as_deref(), roots) {
            (None | Some("prefer" | "allow"), None) => (SslMode::Prefer, Check::Nothing),
            (Some("disable"), _) => (SslMode::Disable, Check::Nothing),
            (Some("require"), None) => (SslMode::Require, Check::Nothing),
            // As libpq has it: who says who may sign wants to know.
            (None | Some("prefer" | "allow" | "require"), Some(Roots::System)) => {
                (SslMode::Require, Check::Named(Roots::System))
            }
            (None | Some("prefer" | "allow" | "require"), Some(roots)) => (SslMode::Require, Check::Signed(roots)),
            (Some("verify-ca"), roots) => (SslMode::Require, Check::Signed(roots.unwrap_or(Roots::System))),
            (Some("verify-full"), roots) => (SslMode::Require, Check::Named(roots.unwrap_or(Roots::System))),
            _ => return Err("`sslmode` must be disable, prefer, require, verify-ca or verify-full".to_owned()),
        };
        config.ssl_mode(ssl);
        prepare(&mut config);
        let server = server(&config);
        Ok(Self { config, check, server })
    }

    /// The server and its database as `host:port/database`, without user and password.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A message without the password.
    pub(super) fn hide(&self, message: &str) -> String {
        let password = self.config.get_password().and_then(|password| std::str::from_utf8(password).ok());
        match password.filter(|password| password.len() >= SHORTEST) {
            Some(password) => message.replace(password, "<secret>"),
            None => message.to_owned(),
        }
    }

    /// For connections that write: of several hosts, the one that can be written to.
    pub(super) fn writable(&self) -> Config {
        let mut config = self.config.clone();
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        config
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Dsn").field(&self.server).finish()
    }
}

fn prepare(config: &mut Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT);
    }
    if config.get_application_name().is_none() {
        config.application_name("dlgforge");
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(IDLE);
    }
    if config.get_keepalives_interval().is_none() {
        config.keepalives_idle(IDLE).keepalives_interval(IDLE / PROBES).keepalives_retries(PROBES);
    }
}

fn server(config: &Config) -> String {
    let port = |at: usize| config.get_ports().get(at).or_else(|| config.get_ports().first()).copied().unwrap_or(5432);
    let named = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let mut hosts: Vec<String> = named.collect();
    if hosts.is_empty() {
        hosts.extend(config.get_hostaddrs().iter().map(ToString::to_string));
    }
    let hosts: Vec<_> = hosts.iter().enumerate().map(|(at, host)| format!("{host}:{}", port(at))).collect();
    let database = config.get_dbname().or(config.get_user()).unwrap_or_default();
    format!("{}/{database}", hosts.join(","))
}

/// A connection string without what it says of TLS, which is understood here.
struct Taken {
    rest: String,
    mode: Option<String>,
    roots: Option<String>,
}

fn take_tls(text: &str) -> Result<Taken, String> {
    let (mut mode, mut roots) = (None, None);
    let mut is_ours = |name: &str, value: &str| match name {
        "sslmode" => {
            mode = Some(value.to_owned());
            true
        }
        "sslrootcert" => {
            roots = Some(value.to_owned());
            true
        }
        _ => false,
    };
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    let rest = match text.split_once('?').filter(|_| is_url) {
        Some((base, query)) => {
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            let others = query
                .split('&')
                .filter(|part| !part.is_empty())
                .zip(pairs)
                .filter(|(_, (name, value))| !is_ours(name, value));
            let others: Vec<_> = others.map(|(part, _)| part).collect();
            if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) }
        }
        None if is_url => text.to_owned(),
        None => {
            let words =
                words(text).ok_or("it can't be read: it is neither a URL nor a list of words like `host=...`")?;
            let others = words.iter().filter(|word| !is_ours(&word.name, &word.value));
            others.map(|word| &text[word.lies.clone()]).collect::<Vec<_>>().join(" ")
        }
    };
    Ok(Taken { rest, mode, roots })
}

/// A word `name=value` of a connection string, and where it lies in it.
struct Word {
    name: String,
    value: String,
    lies: Range<usize>,
}

/// The words of a connection string
/// (<https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING-KEYWORD-VALUE>); none when it is not one.
fn words(text: &str) -> Option<Vec<Word>> {
    let mut words = Vec::new();
    let mut chars = text.char_indices().peekable();
    loop {
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let Some(&(start, _)) = chars.peek() else { return Some(words) };
        let mut name = String::new();
        while let Some((_, c)) = chars.next_if(|(_, c)| *c != '=') {
            name.push(c);
        }
        chars.next()?;
        while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {}
        let is_quoted = chars.next_if(|(_, c)| *c == '\'').is_some();
        let is_inside = |c: char| if is_quoted { c != '\'' } else { !c.is_whitespace() };
        let mut value = String::new();
        while let Some((_, c)) = chars.next_if(|(_, c)| is_inside(*c)) {
            value.push(if c == '\\' { chars.next()?.1 } else { c });
        }
        if is_quoted {
            chars.next()?;
        }
        let end = chars.peek().map_or(text.len(), |(at, _)| *at);
        words.push(Word { name: name.trim().to_owned(), value, lies: start..end });
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_without_its_password() {
        for (text, server) in [
            ("postgresql://u:s3cret-word@db.example.org/runs", "db.example.org:5432/runs"),
            ("postgres://u:s3cret-word@h:6000", "h:6000/u"),
            ("host=a,b port=1,2 user=u password='s3cret-word' dbname=d", "a:1,b:2/d"),
            ("host=/run/postgresql user=u dbname=d", "/run/postgresql:5432/d"),
        ] {
            let dsn = Dsn::parse(text).unwrap();
            assert_eq!(dsn.server(), server, "{text}");
            assert!(!format!("{dsn:?}").contains("s3cret"), "{dsn:?}");
        }
        let dsn = Dsn::parse("host=h password=s3cret-word").unwrap();
        assert_eq!(dsn.hide("it is s3cret-word"), "it is <secret>");
    }

    #[test]
    fn certificates_are_checked_as_the_mode_says() {
        let file = || Roots::File("/r.pem".into());
        for (options, ssl, check) in [
            ("", SslMode::Prefer, Check::Nothing),
            ("sslmode=disable", SslMode::Disable, Check::Nothing),
            ("sslmode=require", SslMode::Require, Check::Nothing),
            ("sslmode=require&sslrootcert=/r.pem", SslMode::Require, Check::Signed(file())),
            ("sslmode=verify-ca&sslrootcert=/r.pem", SslMode::Require, Check::Signed(file())),
            ("sslmode=verify-full&sslrootcert=%2Fr.pem", SslMode::Require, Check::Named(file())),
            ("sslmode=verify-full", SslMode::Require, Check::Named(Roots::System)),
            ("sslrootcert=system", SslMode::Require, Check::Named(Roots::System)),
        ] {
            let url = Dsn::parse(&format!("postgresql://h/d?application_name=x&{options}")).unwrap();
            assert_eq!((url.config.get_ssl_mode(), &url.check), (ssl, &check), "{options}");
            assert_eq!(url.config.get_application_name(), Some("x"));
            let words = options.replace('&', " ").replace("%2F", "/").replace("=require", " = 'require'");
            let words = Dsn::parse(&format!("{words} host=h password='a sslmode=x \\' b'")).unwrap();
            assert_eq!((words.config.get_ssl_mode(), &words.check), (ssl, &check), "{options}");
            assert_eq!(words.config.get_password(), Some(&b"a sslmode=x ' b"[..]));
        }
    }

    #[test]
    fn what_is_no_connection_string_is_told_without_its_text() {
        for (text, why) in [
            ("", "it names no host"),
            ("s3cret", "it can't be read"),
            ("host=h password=a s3cret=b", "it can't be read, or has an option"),
            ("host=h port=s3cret", "it has an invalid value for `port`"),
            ("postgresql://u:s3cret@h/d?sslmode=maybe", "`sslmode` must be"),
            ("postgresql://u:s3cret@h/d?sslcert=x", "it can't be read, or has an option"),
            ("host='h s3cret", "it can't be read"),
        ] {
            let told = Dsn::parse(text).unwrap_err();
            assert!(told.starts_with(why) && !told.contains("s3cret"), "{text}: {told}");
        }
    }
}
