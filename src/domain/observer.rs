//! Who hears what happens in a room, as it happens.

use std::fmt;
use std::sync::Arc;

/// Whoever hears of the events of a room; nobody by default. A room does the same whether it is heard or not.
///
/// # Examples
///
/// ```
/// use dlgforge::domain::Observer;
/// use std::sync::mpsc;
///
/// let (heard, events) = mpsc::channel();
/// let observer = Observer::new(move |event: &u32| heard.send(*event).expect("somebody listens"));
/// observer.tell(|| 1);
/// Observer::default().tell(|| -> u32 { unreachable!("nobody hears, and nothing is made for nobody") });
/// assert_eq!(events.try_iter().collect::<Vec<_>>(), [1]);
/// ```
pub struct Observer<E>(Option<Arc<Hear<E>>>);

type Hear<E> = dyn Fn(&E) + Send + Sync;

impl<E> Observer<E> {
    /// An observer that hears by this function, on the thread on which something happens, which waits for it.
    pub fn new(hear: impl Fn(&E) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hear)))
    }

    /// Tells of an event, which is only made when somebody hears of it.
    pub fn tell(&self, event: impl FnOnce() -> E) {
        if let Some(hear) = &self.0 {
            hear(&event());
        }
    }
}

impl<E> Clone for Observer<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> Default for Observer<E> {
    fn default() -> Self {
        Self(None)
    }
}

impl<E> fmt::Debug for Observer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Observer").field(&self.0.is_some()).finish()
    }
}
