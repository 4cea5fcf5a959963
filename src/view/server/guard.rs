//! Who is served: requests to this machine's own name that know the token; what writes comes from the pages themselves.

use super::HEADERS;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// What a request has to show.
pub struct Guard {
    port: u16,
    /// Compared as digests, so that the time it takes tells nothing.
    token: [u8; 32],
}

impl Guard {
    pub fn new(port: u16, token: &str) -> Self {
        Self { port, token: digest(token) }
    }

    /// The names of the machine that a browser may have asked for, so that no other name can be made to lead here.
    fn hosts(&self) -> [String; 2] {
        ["127.0.0.1", "localhost"].map(|name| format!("{name}:{}", self.port))
    }

    /// Cookies are shared by all ports of a host.
    fn cookie(&self) -> String {
        format!("dlgforge-view-{}", self.port)
    }

    fn is_token(&self, text: &str) -> bool {
        digest(text) == self.token
    }

    /// The token of the address that was printed.
    fn of_address(&self, request: &Request) -> Option<String> {
        let query = request.uri().query().filter(|_| request.uri().path() == "/")?;
        let mut pairs = url::form_urlencoded::parse(query.as_bytes());
        pairs.find(|(name, _)| name == "token").map(|(_, token)| token.into_owned())
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let text = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).filter_map(|value| value.strip_prefix("Bearer "));
        let name = self.cookie();
        let cookies =
            text(header::COOKIE).flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let cookies = cookies.filter(|(known, _)| *known == name).map(|(_, value)| value);
        bearer.chain(cookies).any(|token| self.is_token(token))
    }

    fn refusal(&self, request: &Request) -> Option<(StatusCode, &'static str)> {
        let headers = request.headers();
        let one = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if !one(header::HOST).is_some_and(|host| self.hosts().iter().any(|own| own == host)) {
            return Some((StatusCode::FORBIDDEN, "ask for 127.0.0.1 or localhost with the port\n"));
        }
        if !self.is_known(headers) {
            return Some((
                StatusCode::UNAUTHORIZED,
                "open the address that `dlgforge view` has printed: it has the token\n",
            ));
        }
        let is_own = |origin: &str| self.hosts().iter().any(|host| origin == format!("http://{host}"));
        match *request.method() {
            Method::GET | Method::HEAD => None,
            Method::POST if one(header::ORIGIN).is_some_and(is_own) => None,
            Method::POST => Some((StatusCode::FORBIDDEN, "labels are taken from the pages of this address alone\n")),
            _ => Some((StatusCode::METHOD_NOT_ALLOWED, "pages are read, and labels are posted\n")),
        }
    }
}

fn digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Answers requests that show the token in the address with a cookie that does, refuses those that show none, and gives every response
/// its headers.
pub async fn guard(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    let refusal = guard.refusal(&request);
    let is_host = !matches!(refusal, Some((StatusCode::FORBIDDEN, _)));
    let token = guard.of_address(&request).filter(|token| is_host && guard.is_token(token));
    let mut response = match (token, refusal) {
        (Some(token), _) => {
            // So it stays neither in the address nor in what the browser remembers of it.
            let cookie = format!("{}={token}; HttpOnly; SameSite=Strict; Path=/", guard.cookie());
            (StatusCode::SEE_OTHER, [(header::LOCATION, "/".to_owned()), (header::SET_COOKIE, cookie)]).into_response()
        }
        (None, Some(refusal)) => refusal.into_response(),
        (None, None) => next.run(request).await,
    };
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
