//! How many queries run at a time, and how many wait.

use std::sync::Arc;
use std::time::Duration;

use proto::failure::{Code, Failure};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout_at};

/// When a caller that found the queue full may try again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Lets queries in, in the order in which they came.
#[derive(Debug)]
pub(crate) struct Admission {
    running: Arc<Semaphore>,
    waiting: Semaphore,
}

impl Admission {
    pub(crate) fn new(running_max: usize, waiting_max: usize) -> Self {
        Self {
            running: Arc::new(Semaphore::new(running_max)),
            waiting: Semaphore::new(waiting_max),
        }
    }

    /// Waits for a place, which is free again when it is dropped, and at the deadline at the latest:
    /// a caller that stops reading must not keep others out.
    ///
    /// # Errors
    /// If too many wait already, or the deadline passes first.
    pub(crate) async fn admit(&self, deadline: Instant) -> Result<Place, Failure> {
        let throttled = |message: &str| Failure {
            retry_after: Some(RETRY_AFTER),
            ..Failure::new(Code::Throttled, message)
        };
        if let Ok(permit) = Arc::clone(&self.running).try_acquire_owned() {
            return Ok(Place::new(permit, deadline));
        }
        let Ok(_waits) = self.waiting.try_acquire() else {
            return Err(throttled("too many queries wait already"));
        };
        match timeout_at(deadline, Arc::clone(&self.running).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(Place::new(permit, deadline)),
            _ => Err(throttled("other queries took all of this query's time")),
        }
    }
}

/// A query's place among those that run.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "its drop is the message")] oneshot::Sender<()>,
);

impl Place {
    fn new(permit: OwnedSemaphorePermit, deadline: Instant) -> Self {
        let (place, left) = oneshot::channel();
        tokio::spawn(async move {
            let _ = timeout_at(deadline, left).await;
            drop(permit);
        });
        Self(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[tokio::test]
    async fn a_query_waits_for_one_that_ends() {
        let admission = Arc::new(Admission::new(1, 1));
        let first = admission.admit(later()).await.expect("there is a place");
        let other = Arc::clone(&admission);
        let second = tokio::spawn(async move { other.admit(later()).await });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        let third = admission
            .admit(later())
            .await
            .expect_err("the queue is full");
        assert_eq!(third.code, Code::Throttled);
        assert!(third.retry_after.is_some());
        drop(first);
        let second = second.await.expect("it ends");
        assert!(second.is_ok());
    }

    #[tokio::test]
    async fn a_place_is_free_again_at_its_deadline() {
        let admission = Admission::new(1, 1);
        let _stalled = admission
            .admit(Instant::now())
            .await
            .expect("there is a place");
        assert!(admission.admit(later()).await.is_ok());
    }

    #[tokio::test]
    async fn waiting_ends_at_the_deadline() {
        let admission = Admission::new(1, 1);
        let _first = admission.admit(later()).await.expect("there is a place");
        let passed = admission.admit(Instant::now()).await;
        let error = passed.expect_err("nobody ends");
        assert_eq!(error.code, Code::Throttled);
        // Who gave up waits no more.
        assert_eq!(admission.waiting.available_permits(), 1);
    }
}
