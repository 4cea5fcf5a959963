//! `dlgforge view` and whoever asks it, over plain HTTP.

use super::Project;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// A server of pages, ended with the test.
pub struct Viewer {
    pub child: Child,
    pub port: u16,
    pub token: String,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A response: its status, its head in lower case, its body.
pub struct Response {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Viewer {
    pub fn of(project: &Project, outputs: &[&str]) -> Self {
        let mut command = project.command(&[&["view"], outputs].concat());
        command.env("DLGFORGE_CACHE", project.path("cache"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
        let Some((port, token)) =
            line.trim().strip_prefix("open http://127.0.0.1:").and_then(|at| at.split_once("/?token="))
        else {
            let mut told = String::new();
            child.stderr.take().expect("its errors").read_to_string(&mut told).expect("UTF-8");
            panic!("no address in `{line}`: {told}");
        };
        Self { port: port.parse().expect("a port"), token: token.to_owned(), child }
    }

    pub fn asked(&self, line: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        let mut request = format!("{line} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| request += &format!("{name}: {value}\r\n"));
        stream.write_all(format!("{request}\r\n{body}").as_bytes()).expect("a request");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("a response in UTF-8");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Response { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    pub fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Value {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
        let headers = [("host", &*self.host()), ("authorization", &*self.bearer())];
        let response = self.asked(&format!("GET {path}?{query}"), &headers, "");
        assert_eq!(response.status, 200, "{path}?{query}: {}", response.body);
        serde_json::from_str(&response.body).expect("JSON")
    }

    pub fn post(&self, path: &str, body: &Value) -> Response {
        let origin = format!("http://{}", self.host());
        let headers = [
            ("host", &*self.host()),
            ("authorization", &*self.bearer()),
            ("origin", &*origin),
            ("content-type", "application/json"),
        ];
        self.asked(&format!("POST {path}"), &headers, &body.to_string())
    }

    pub fn total(&self, parameters: &[(&str, &str)]) -> u64 {
        self.get("/api/0/list", parameters)["total"].as_u64().expect("a number")
    }

    pub fn ids(&self, parameters: &[(&str, &str)]) -> BTreeSet<String> {
        let listed = self.get("/api/0/list", &[parameters, &[("limit", "200")]].concat());
        let items = listed["conversations"].as_array().expect("a list");
        items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
    }

    /// Waits until the index has so many conversations.
    pub fn awaits(&self, total: u64) {
        until(&format!("{total} conversations"), || self.total(&[]) == total);
    }
}

pub fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "no {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
