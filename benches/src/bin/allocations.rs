//! Prints the number and size of the allocations of an upstream call in the app, of the same call in
//! the bare handler, and of routing and binding alone.

use std::convert::Infallible;

use allocation_counter::AllocationInfo;
use benches::{bare, binding::Binding, call};
use http::Response;
use http_body_util::{BodyExt, Collected};
use hyper::body::Body;
use tower_service::Service;

/// The number of calls before counting. These calls fill caches and thread locals.
const WARM: usize = 100;
const COUNTED: u64 = 100;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let headers = call::headers();
    let request = || call::request(&headers);

    let mut service = runtime.block_on(async { call::app() })?.service();
    let mut ours = |request| drop(runtime.block_on(whole(service.call(request))));
    print("upstream call", counted(request, &mut ours)?);
    let mut bare = |request| drop(runtime.block_on(whole(bare::handle(request))));
    print("the same, bare", counted(request, &mut bare)?);
    let binding = Binding::default();
    let mut bound = |parts| drop(binding.call(parts));
    print("routing and binding", counted(|| Ok(binding.parts()), &mut bound)?);
    Ok(())
}

/// Waits for a response and reads its body, as a server does.
async fn whole<B: Body<Error = Infallible>>(
    answering: impl Future<Output = Result<Response<B>, Infallible>>,
) -> Result<Collected<B::Data>, Infallible> {
    answering.await?.collect().await
}

/// Returns the mean over [`COUNTED`] calls, excluding the creation of their arguments.
fn counted<T>(
    make: impl Fn() -> http::Result<T>,
    call: &mut impl FnMut(T),
) -> http::Result<AllocationInfo> {
    for _ in 0..WARM {
        call(make()?);
    }
    let mut total = AllocationInfo::default();
    for _ in 0..COUNTED {
        let given = make()?;
        let info = allocation_counter::measure(|| call(given));
        total.count_total += info.count_total;
        total.bytes_total += info.bytes_total;
    }
    total.count_total /= COUNTED;
    total.bytes_total /= COUNTED;
    Ok(total)
}

fn print(what: &str, each: AllocationInfo) {
    println!("{what:<22} {:>4} allocations {:>7} bytes", each.count_total, each.bytes_total);
}
