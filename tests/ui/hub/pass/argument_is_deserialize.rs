//! Arguments are owned serde types, bound by position. A client may omit trailing `Option` arguments.

use hub_runtime::prelude::*;
use serde::Deserialize;

use crate::support::Bench;

#[derive(Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

type Maybe = Option<Vec<Point>>;

struct Chart;

#[serverless_hub]
impl Chart {
    async fn plot(&self, first: Point, mut others: Vec<Point>, more: Maybe) -> HubResult<i32> {
        others.push(first);
        others.extend(more.unwrap_or_default());
        Ok(others.iter().map(|point| point.x * point.y).sum())
    }
}

#[test]
fn arguments_bind_by_position() {
    let chart = Bench::new(Chart);

    assert_eq!(chart.rows()[0].params, ["first", "others", "more"]);
    assert_eq!(chart.invoke("plot", r#"[{"x":2,"y":3},[{"x":1,"y":1}]]"#).unwrap(), "7");
    assert_eq!(chart.invoke("plot", r#"[{"x":2,"y":3},[],null]"#).unwrap(), "6");
    assert_eq!(chart.invoke("plot", "[]").unwrap_err(), "argument 1 (`first`) is missing");
    assert_eq!(
        chart.invoke("plot", r#"[{"x":2,"y":3},[],null,4]"#).unwrap_err(),
        "too many arguments: expected 3 arguments, got 4"
    );
}
