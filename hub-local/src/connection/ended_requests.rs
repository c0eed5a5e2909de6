//! How many requests to the app cancels may end. The app goes on with the method of an ended request, beside the next call
//! of the client. Without a limit, a client could have any number of methods run at once.

use parking_lot::Mutex;

/// Of one connection: 32 requests at once, and then one in 250 ms.
const OF_CONNECTION: Rate = Rate { burst: 32, every: 250 };
/// Of all connections of a service: 1,024 requests at once, and then one in 8 ms.
const OF_SERVICE: Rate = Rate { burst: 1024, every: 8 };

/// `burst` at once, and then one in `every` milliseconds.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: u64,
    every: u64,
}

/// The budget of a service or a connection: the time in milliseconds at which its whole burst is available again.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget(u64);

/// The budget of a service.
#[derive(Debug, Default)]
pub(crate) struct EndedRequests(Mutex<Budget>);

impl Rate {
    /// The budget after one more request at `now`; `None` if it is used up.
    fn take(self, budget: Budget, now: u64) -> Option<Budget> {
        let from = budget.0.max(now);
        let is_left = from - now <= (self.burst - 1) * self.every;
        is_left.then_some(Budget(from.saturating_add(self.every)))
    }
}

impl EndedRequests {
    /// Takes one request from the budgets of the connection and of the service, unless one of them is used up. `now` is a
    /// time in milliseconds.
    pub(super) fn take(&self, connection: &mut Budget, now: u64) -> bool {
        let mut service = self.0.lock();
        let Some(own) = OF_CONNECTION.take(*connection, now) else { return false };
        let Some(all) = OF_SERVICE.take(*service, now) else { return false };
        (*connection, *service) = (own, all);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_ends_thirty_two_requests_and_then_four_in_a_second() {
        let (service, mut connection) = (EndedRequests::default(), Budget::default());
        let mut taken = |now| (0..100).filter(|_| service.take(&mut connection, now)).count();

        assert_eq!([5, 254, 255, 1255].map(&mut taken), [32, 0, 1, 4]);
        assert_eq!(taken(1_000_000), 32);
    }

    #[test]
    fn all_connections_together_have_a_budget_too() {
        let service = EndedRequests::default();
        let taken = |now| {
            let connections = (0..2000).map(|_| Budget::default());
            connections.filter(|connection| service.take(&mut connection.clone(), now)).count()
        };

        assert_eq!([0, 7, 8, 1008].map(taken), [1024, 0, 1, 125]);
    }
}
