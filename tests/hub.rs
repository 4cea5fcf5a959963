//! Pushing a folder to a Hub that checks what it gets, and that fails as real ones do.

use crate::support::hub::{Behaviour, Came, Fault, Hub, TOKEN};
use dlgforge::publish::{Destination, HubError, Pushed, RepoType, Token, push};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Mutex;
use tempfile::TempDir;

const CARD: &str = "---\nlanguage: [ar, fr]\n---\nبطاقة de données\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    files.iter().for_each(|(path, text)| write(folder.path(), path, text.as_bytes()));
    folder
}

fn write(folder: &Path, path: &str, content: &[u8]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
    fs::write(path, content).expect("a file");
}

fn to(hub: &Hub) -> Destination {
    Destination {
        endpoint: hub.root().to_owned(),
        token: Token::new(TOKEN),
        repo_id: "me/d".to_owned(),
        repo_type: RepoType::Dataset,
        private: true,
        commit_message: "Update".to_owned(),
        clean_remote: false,
    }
}

fn pushed(folder: &Path, to: &Destination) -> Result<Pushed, HubError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(push(folder, to, &|_| {}))
}

/// What a repository has, but for what it was made with.
fn content(hub: &Hub, name: &str) -> BTreeMap<String, Vec<u8>> {
    let mut files = hub.repo(name).files;
    files.remove(".gitattributes");
    files
}

fn expect(hub: &Hub, files: &[(&str, &str)]) {
    let expected = files.iter().map(|(path, text)| (path.to_string(), text.as_bytes().to_vec()));
    assert_eq!(content(hub, "datasets/me/d"), expected.collect());
    hub.expect_proper();
}

const FILES: [(&str, &str); 3] =
    [("README.md", CARD), ("data/train-00000-of-00001.parquet", "PAR1 مرحبا PAR1"), ("plots/tours é.svg", "<svg/>")];

/// Fails the first requests to a place so.
fn at_first(place: &'static str, times: usize, fault: impl Fn() -> Fault + Send + Sync + 'static) -> Behaviour {
    Behaviour::failing(move |came: &Came| (came.to.contains(place) && came.before < times).then(&fault))
}

#[test]
fn a_folder_becomes_a_repository_by_one_commit() {
    let hub = Hub::start(Behaviour::default());
    let folder = folder(&[&FILES[..], &[(".dlgforge-export", "hidden"), (".env", "HF_TOKEN=x")]].concat());
    let done = pushed(folder.path(), &to(&hub)).expect("a push");
    expect(&hub, &FILES);
    let repo = hub.repo("datasets/me/d");
    assert!(repo.is_private);
    let messages: Vec<_> = repo.commits.iter().map(|(_, message)| message.as_str()).collect();
    assert_eq!(messages, ["initial commit", "Update"]);
    assert_eq!(repo.large.iter().collect::<Vec<_>>(), ["data/train-00000-of-00001.parquet"]);
    let bytes = FILES.iter().map(|(_, text)| text.len() as u64).sum::<u64>();
    assert_eq!((done.files, done.changed, done.removed, done.bytes), (3, 3, 0, bytes));
    assert_eq!(done.url, format!("{}/datasets/me/d", hub.root()));
    assert_eq!(done.commit.as_deref(), repo.commits.last().map(|(name, _)| name.as_str()));
}

#[test]
fn what_is_there_is_not_sent_again() {
    let hub = Hub::start(Behaviour::default());
    let folder = folder(&FILES);
    pushed(folder.path(), &to(&hub)).expect("a push");
    let again = pushed(folder.path(), &to(&hub)).expect("a push");
    assert_eq!((again.changed, again.bytes), (0, 0));
    assert_eq!(hub.repo("datasets/me/d").commits.len(), 2, "nothing has changed: no commit");
    write(folder.path(), "README.md", b"new");
    let again = pushed(folder.path(), &to(&hub)).expect("a push");
    assert_eq!((again.changed, again.bytes), (1, 3));
    expect(&hub, &[("README.md", "new"), FILES[1], FILES[2]]);
}

#[test]
fn models_and_spaces_are_repositories_too() {
    let hub = Hub::start(Behaviour::default());
    let folder = folder(&FILES);
    for (repo_type, name) in [(RepoType::Model, "models/me/d"), (RepoType::Space, "spaces/me/d")] {
        let done = pushed(folder.path(), &Destination { repo_type, private: false, ..to(&hub) }).expect("a push");
        assert_eq!(content(&hub, name).len(), 3, "{name}");
        assert!(!hub.repo(name).is_private);
        assert_eq!(done.url, format!("{}/{}", hub.root(), name.replace("models/", "")));
    }
    hub.expect_proper();
}

#[test]
fn long_files_go_in_parts_and_many_files_by_many_commits() {
    let hub = Hub::start(Behaviour::default().in_parts(100_000));
    let folder = folder(&[("README.md", CARD)]);
    let long: Vec<u8> = (0..1_234_567u32).map(|at| (at % 251) as u8).collect();
    write(folder.path(), "data/train-00000-of-00001.parquet", &long);
    for number in 0..250 {
        write(folder.path(), &format!("run_state/{number:03}.json"), format!("{{\"n\": {number}}}").as_bytes());
    }
    let done = pushed(folder.path(), &to(&hub)).expect("a push");
    assert_eq!((done.files, done.changed), (252, 252));
    let found = content(&hub, "datasets/me/d");
    assert_eq!((found.len(), found["data/train-00000-of-00001.parquet"] == long), (252, true));
    assert_eq!(found["run_state/249.json"], b"{\"n\": 249}");
    assert_eq!(hub.came("PUT /storage/").len(), 13);
    let messages: Vec<_> = hub.repo("datasets/me/d").commits.into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages[1..], ["Update (part 1 of 3)", "Update (part 2 of 3)", "Update (part 3 of 3)"]);
    hub.expect_proper();
}

#[test]
fn refusals_that_pass_and_connections_that_break_are_tried_again() {
    for place in
        ["repos/create", "/revision/", "/preupload/", "objects/batch", "PUT /storage/", "lfs/verify", "/commit/"]
    {
        for (name, fault) in [
            ("429", (|| Fault::Refuse(429, vec![("retry-after", "0".to_owned())])) as fn() -> Fault),
            ("rate limit", || Fault::Refuse(429, vec![("ratelimit", "\"api\";r=0;t=0".to_owned())])),
            ("503", || Fault::Refuse(503, vec![("retry-after", "0".to_owned())])),
            ("cut", || Fault::Cut),
        ] {
            let hub = Hub::start(at_first(place, 1, fault));
            let done =
                pushed(folder(&FILES).path(), &to(&hub)).unwrap_or_else(|error| panic!("{place}, {name}: {error}"));
            assert_eq!(done.changed, 3, "{place}, {name}");
            expect(&hub, &FILES);
            assert_eq!(hub.repo("datasets/me/d").commits.len(), 2, "{place}, {name}");
        }
    }
}

#[test]
fn the_hub_says_how_long_to_wait() {
    let hub = Hub::start(at_first("/commit/", 1, || Fault::Refuse(429, vec![("retry-after", "2".to_owned())])));
    let began = std::time::Instant::now();
    pushed(folder(&FILES).path(), &to(&hub)).expect("a push");
    assert!(began.elapsed().as_secs_f64() >= 2.0, "{:?}", began.elapsed());
}

#[test]
fn a_commit_whose_reply_is_lost_is_made_once() {
    let hub = Hub::start(at_first("/commit/", 1, || Fault::LoseReply));
    let done = pushed(folder(&FILES).path(), &to(&hub)).expect("a push");
    assert_eq!(done.changed, 3);
    let repo = hub.repo("datasets/me/d");
    assert_eq!(repo.commits.len(), 2);
    assert_eq!(done.commit.as_deref(), repo.commits.last().map(|(name, _)| name.as_str()));
    expect(&hub, &FILES);
}

#[test]
fn a_repository_whose_creation_was_not_heard_of_is_taken() {
    let hub = Hub::start(at_first("repos/create", 1, || Fault::LoseReply));
    pushed(folder(&FILES).path(), &to(&hub)).expect("a push");
    expect(&hub, &FILES);
}

#[test]
fn who_commits_meanwhile_keeps_what_is_theirs() {
    let hub = std::sync::Arc::new(Mutex::new(None::<std::sync::Weak<Hub>>));
    let shared = hub.clone();
    let behaviour = Behaviour::failing(move |came: &Came| {
        if came.to.contains("/commit/") && came.before == 0 {
            let hub = shared.lock().expect("a lock").as_ref().and_then(std::sync::Weak::upgrade).expect("a Hub");
            hub.edit("datasets/me/d", |repo| _ = repo.files.insert("theirs.txt".to_owned(), b"t".to_vec()));
        }
        None
    });
    let server = std::sync::Arc::new(Hub::start(behaviour));
    *hub.lock().expect("a lock") = Some(std::sync::Arc::downgrade(&server));
    pushed(folder(&FILES).path(), &to(&server)).expect("a push");
    expect(&server, &[FILES[0], FILES[1], FILES[2], ("theirs.txt", "t")]);
    let messages: Vec<_> = server.repo("datasets/me/d").commits.into_iter().map(|(_, message)| message).collect();
    assert_eq!(messages, ["initial commit", "by others", "Update"]);
    assert_eq!(server.came("PUT /storage/").len(), 1, "what was uploaded is not uploaded again");
}

#[test]
fn a_push_that_was_cut_off_goes_on() {
    // The second batch of commits is refused for good.
    let hub = Hub::start(Behaviour::failing(|came: &Came| {
        (came.to.contains("/commit/") && came.before == 1).then(|| Fault::Refuse(400, Vec::new()))
    }));
    let folder = folder(&[]);
    for number in 0..150 {
        write(folder.path(), &format!("data/train-{number:05}-of-00150.parquet"), format!("PAR1 {number}").as_bytes());
    }
    let error = pushed(folder.path(), &to(&hub)).expect_err("a refusal").to_string();
    assert_eq!(error, "failed to commit 50 files: the Hub says 400: not now");
    assert_eq!(content(&hub, "datasets/me/d").len(), 100);
    let done = pushed(folder.path(), &to(&hub)).expect("a push");
    assert_eq!((done.changed, done.bytes), (50, 0), "all was uploaded by the first push");
    assert_eq!(content(&hub, "datasets/me/d").len(), 150);
    assert_eq!(hub.came("PUT /storage/").len(), 150);
    hub.expect_proper();
}

#[test]
fn shards_that_were_replaced_go_and_the_rest_only_when_asked() {
    let hub = Hub::start(Behaviour::default());
    let before = [
        ("README.md", "old"),
        ("data/train-00000-of-00002.parquet", "a"),
        ("data/train-00001-of-00002.parquet", "b"),
        ("data/test-00000-of-00001.parquet", "c"),
        ("notes.txt", "mine"),
    ];
    pushed(folder(&before).path(), &to(&hub)).expect("a push");
    let folder = folder(&FILES);
    let done = pushed(folder.path(), &to(&hub)).expect("a push");
    assert_eq!(done.removed, 2);
    expect(&hub, &[FILES[0], FILES[1], FILES[2], before[3], before[4]]);
    let done = pushed(folder.path(), &Destination { clean_remote: true, ..to(&hub) }).expect("a push");
    assert_eq!((done.removed, done.changed), (2, 0));
    expect(&hub, &FILES);
    assert!(hub.repo("datasets/me/d").files.contains_key(".gitattributes"));
}

#[test]
fn what_does_not_pass_is_told_at_once_and_without_the_token() {
    let folder = folder(&FILES);
    let refusing =
        |place: &'static str, status: u16| at_first(place, usize::MAX, move || Fault::Refuse(status, Vec::new()));
    for (behaviour, change, expected) in [
        (
            Behaviour::default(),
            (|to| to.token = Token::default()) as fn(&mut Destination),
            "HF token not found. Pass --token",
        ),
        (Behaviour::default(), |to| to.repo_id.clear(), "HF repo_id is required. Name it by --repo-id"),
        (Behaviour::default(), |to| to.repo_id = "d".to_owned(), "`d` is no repository of the Hub"),
        (
            Behaviour::default(),
            |to| to.token = Token::new("hf_another"),
            "failed to create the repository: the Hub says 401: Invalid username or password.; look at the token",
        ),
        (
            Behaviour::default(),
            |to| to.repo_id = "others/d".to_owned(),
            "failed to create the repository: the Hub says 403: You don't have the rights to create a repository there",
        ),
        (
            refusing("PUT /storage/", 400),
            |_| {},
            "failed to upload data/train-00000-of-00001.parquet: the Hub says 400: not now",
        ),
        (refusing("/commit/", 413), |_| {}, "failed to commit 3 files: the Hub says 413: not now"),
        (refusing("/commit/", 412), |_| {}, "others commit to the repository at the same time"),
    ] {
        let hub = Hub::start(behaviour);
        let mut to = to(&hub);
        change(&mut to);
        let error = pushed(folder.path(), &to).expect_err(expected);
        let told = format!("{error} {error:?}");
        assert!(told.contains(expected), "{told}");
        assert!(!told.contains(TOKEN) && !told.contains("hf_another"), "{told}");
    }
}

#[test]
fn a_token_that_may_only_write_is_enough_where_the_repository_is_there() {
    let hub = Hub::start(Behaviour::default());
    hub.edit("datasets/others/d", |_| {});
    let mut told = Vec::new();
    let heard = Mutex::new(&mut told);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let to = Destination { repo_id: "others/d".to_owned(), ..to(&hub) };
    let folder = folder(&[&FILES[..], &[("run.log", "ignored")]].concat());
    let done = runtime.block_on(push(folder.path(), &to, &|line| heard.lock().expect("a lock").push(line.to_owned())));
    assert_eq!(done.expect("a push").changed, 3);
    assert!(told[0].contains("is public, and stays so"), "{told:?}");
    assert!(told.iter().any(|line| line.starts_with("run.log is not pushed: the .gitignore")), "{told:?}");
    hub.expect_proper();
}
