//! The web with the journal in front: what was found before is not searched for again.

use super::{Asked, SearchMeter, Web, WebError, WebReply, WebSearching};
use crate::domain::Place;
use crate::store::{Journal, Kept, Recorded};
use std::sync::Arc;

/// A web whose results are durable before anybody sees them, its failures too: a conversation that was told of one must meet
/// it again.
pub struct JournalledWeb {
    web: Arc<dyn Web>,
    replies: Recorded<WebReply, WebError>,
    meter: Arc<SearchMeter>,
}

impl JournalledWeb {
    /// This web behind this journal.
    pub fn new(web: Arc<dyn Web>, journal: Arc<Journal>, meter: Arc<SearchMeter>) -> Self {
        Self { web, replies: Recorded::new(journal), meter }
    }
}

impl Web for JournalledWeb {
    fn search<'a>(&'a self, place: Place, asked: &'a Asked) -> WebSearching<'a> {
        let (web, asked, digest, meter) = (self.web.clone(), asked.clone(), asked.digest(), self.meter.clone());
        let ask = async move { Ok((web.search(place, &asked).await?, None)) };
        Box::pin(self.replies.answer(place, digest, move || meter.recalled(), WebError::Lost, ask))
    }
}

/// A web that is not asked: there is what the journal has, and else nothing. For dry runs, and for pilots, which have none.
pub struct KeptWeb(pub Kept);

impl Web for KeptWeb {
    fn search<'a>(&'a self, place: Place, asked: &'a Asked) -> WebSearching<'a> {
        Box::pin(async move {
            let kept = self.0.answer(&place, asked.digest())?;
            Ok(kept.unwrap_or_else(|| WebReply::Pages(Vec::new())))
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::domain::Page;
    use crate::store::{Sqlite, Store};
    use crate::tools::Domains;
    use std::sync::atomic::{AtomicU64, Ordering};
    use tokio::sync::Semaphore;

    /// A web that waits for leave to reply, and counts what it is asked; searches for `x` fail, those for `!` stop the run.
    struct Slow {
        asked: AtomicU64,
        leave: Semaphore,
    }

    impl Web for Slow {
        fn search<'a>(&'a self, _: Place, asked: &'a Asked) -> WebSearching<'a> {
            Box::pin(async move {
                let number = self.asked.fetch_add(1, Ordering::SeqCst);
                self.leave.acquire().await.unwrap().forget();
                match asked.query.as_str() {
                    "x" => Ok(WebReply::Failed("no".into())),
                    "!" => Err(WebError::Halted("a wrong key".into())),
                    query => Ok(WebReply::Pages(vec![Page {
                        title: query.into(),
                        link: format!("https://example.org/{number}"),
                        snippet: "s".into(),
                    }])),
                }
            })
        }
    }

    fn behind(folder: &std::path::Path) -> (Arc<Slow>, JournalledWeb, Arc<SearchMeter>) {
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder).unwrap());
        let journal = Arc::new(Journal::start(store, "r".into(), None, |error| panic!("{error}")));
        let slow = Arc::new(Slow { asked: AtomicU64::new(0), leave: Semaphore::new(0) });
        let meter = Arc::<SearchMeter>::default();
        (slow.clone(), JournalledWeb::new(slow, journal, meter.clone()), meter)
    }

    fn asked(query: &str) -> Asked {
        Asked { query: query.into(), results: 5, domains: Arc::default() }
    }

    #[tokio::test]
    async fn a_search_is_made_once_also_when_nobody_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (slow, web, _) = behind(folder.path());
        let (place, tea) = (Place::default(), asked("tea"));
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(20), web.search(place, &tea)).await;
        assert!(given_up.is_err() && slow.asked.load(Ordering::SeqCst) == 1);
        slow.leave.add_permits(1);
        let first = web.search(place, &tea).await.unwrap();
        assert_eq!((web.search(place, &tea).await.unwrap(), slow.asked.load(Ordering::SeqCst)), (first.clone(), 1));
        drop(web);
        let (slow, web, meter) = behind(folder.path());
        assert_eq!((web.search(place, &tea).await.unwrap(), slow.asked.load(Ordering::SeqCst)), (first, 0));
        assert_eq!(meter.read().recalled, 1);
        // Another place, another query, other domains: other searches.
        slow.leave.add_permits(3);
        let narrow = Asked { domains: Domains::of(&["example.org"], &[]).unwrap().into(), ..tea.clone() };
        web.search(place.next(), &tea).await.unwrap();
        web.search(place, &asked("coffee")).await.unwrap();
        web.search(place, &narrow).await.unwrap();
        assert_eq!(slow.asked.load(Ordering::SeqCst), 3);
    }

    #[tokio::test]
    async fn failures_are_kept_and_what_stops_the_run_is_not() {
        let folder = tempfile::tempdir().unwrap();
        for expected in [(2, 0), (1, 1)] {
            let (slow, web, meter) = behind(folder.path());
            slow.leave.add_permits(2);
            assert_eq!(web.search(Place::default(), &asked("x")).await, Ok(WebReply::Failed("no".into())));
            let stopped = web.search(Place::default(), &asked("!")).await;
            assert_eq!(stopped, Err(WebError::Halted("a wrong key".into())));
            assert_eq!((slow.asked.load(Ordering::SeqCst), meter.read().recalled), expected);
        }
    }

    #[tokio::test]
    async fn what_is_kept_serves_where_nobody_may_be_asked() {
        let folder = tempfile::tempdir().unwrap();
        let (slow, web, _) = behind(folder.path());
        slow.leave.add_permits(1);
        let found = web.search(Place::default(), &asked("tea")).await.unwrap();
        drop(web);
        let store: Arc<dyn Store> = Arc::new(Sqlite::open(folder.path()).unwrap());
        let kept = KeptWeb(Kept { journal: Some((store, "r".into())), ..Kept::default() });
        assert_eq!(kept.search(Place::default(), &asked("tea")).await, Ok(found));
        assert_eq!(kept.search(Place::default(), &asked("coffee")).await, Ok(WebReply::Pages(vec![])));
        let none = KeptWeb(Kept::default());
        assert_eq!(none.search(Place::default(), &asked("tea")).await, Ok(WebReply::Pages(vec![])));
    }
}
