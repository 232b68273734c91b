use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::Duration;

/// A token endpoint that counts. It knows the grants of client credentials and of refresh tokens, which it rotates: `r0`, `r1`, …
#[derive(Clone)]
pub(crate) struct OAuthServer {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    rules: Rules,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    /// Whether a refresh token that was replaced gets the one that replaced it once more.
    pub(crate) reuse_window: bool,
    /// Generations whose first answer is dropped, after the rotation.
    pub(crate) drop_answers: Vec<u64>,
    /// Whether each answer waits until [`OAuthServer::release`].
    pub(crate) hold: bool,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    pub(crate) requests: u64,
    pub(crate) in_flight: u64,
    pub(crate) most_in_flight: u64,
    /// How often the refresh token was replaced.
    pub(crate) generation: u64,
    pub(crate) refused: u64,
    pub(crate) answered: u64,
    dropped: u64,
    released: bool,
}

impl OAuthServer {
    pub(crate) fn start(rules: Rules) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            port: listener.local_addr().unwrap().port(),
            shared: Arc::new(Shared {
                rules,
                state: Mutex::default(),
                changed: Condvar::new(),
            }),
        };
        let shared = Arc::clone(&server.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || while shared.serve(&stream).is_some() {});
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }

    pub(crate) fn state(&self) -> State {
        self.shared.state().clone()
    }

    /// Waits until it has seen what is asked for.
    pub(crate) fn wait(&self, what: impl Fn(&State) -> bool) {
        let patience = Duration::from_secs(60);
        let (state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(self.shared.state(), patience, |state| !what(state))
            .unwrap();
        assert!(!timeout.timed_out(), "{state:?}");
    }

    /// Lets all answers go, those to come too.
    pub(crate) fn release(&self) {
        self.shared.state().released = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Serves one request; `None` ends the connection.
    fn serve(&self, stream: &TcpStream) -> Option<()> {
        let form = read_form(stream)?;
        let parameter = |name: &str| {
            let prefix = format!("{name}=");
            form.split('&').find_map(|pair| pair.strip_prefix(prefix.as_str()))
        };
        let refresh = parameter("refresh_token").map(|token| token.trim_start_matches('r').parse::<u64>().unwrap());
        let (answer, dropped) = {
            let mut state = self.state();
            state.requests += 1;
            state.in_flight += 1;
            state.most_in_flight = state.most_in_flight.max(state.in_flight);
            self.changed.notify_all();
            let (answer, dropped) = self.decide(&mut state, refresh);
            if self.rules.hold {
                state = self.changed.wait_while(state, |state| !state.released).unwrap();
            }
            state.in_flight -= 1;
            (answer, dropped)
        };
        let written = if dropped {
            None
        } else {
            write!(&mut &*stream, "{answer}").ok()
        };
        let mut state = self.state();
        state.answered += 1;
        self.changed.notify_all();
        drop(state);
        written
    }

    fn decide(&self, state: &mut State, refresh: Option<u64>) -> (String, bool) {
        let Some(used) = refresh else {
            return (good(&format!("token-{}", state.requests), None), false);
        };
        let mut dropped = false;
        if used == state.generation {
            state.generation += 1;
            dropped = self.rules.drop_answers.contains(&state.generation);
            state.dropped += u64::from(dropped);
        } else if !(self.rules.reuse_window && used + 1 == state.generation) {
            state.refused += 1;
            let body = r#"{"error":"invalid_grant"}"#;
            return (http("400 Bad Request", body), false);
        }
        let generation = state.generation;
        (
            good(&format!("token-{generation}"), Some(&format!("r{generation}"))),
            dropped,
        )
    }
}

fn good(token: &str, refresh: Option<&str>) -> String {
    let refresh = refresh
        .map(|refresh| format!(r#","refresh_token":"{refresh}""#))
        .unwrap_or_default();
    let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600{refresh}}}"#);
    http("200 OK", &body)
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
}

fn read_form(stream: &TcpStream) -> Option<String> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}
