//! Binding expressions: `{headers.x-ms-client-principal-id}`, `{query.name}`.

use std::{fmt, str::FromStr};

use hub_core::NegotiateRequest;

use super::BindingError;

/// A string from function.json with placeholders `{headers.NAME}` and `{query.NAME}`, which a negotiate
/// request fills. The other expressions of Functions, such as `{rand-guid}`, route parameters and `%SETTING%`, are
/// errors.
///
/// The headers of App Service (`x-ms-client-principal…`, `x-ms-token-…`) are missing unless the app runs
/// behind App Service: elsewhere any client can send them. All other headers, and the query, are
/// unverified input of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingExpression {
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Header(String),
    Query(String),
}

/// Prefixes of the headers that App Service adds for the signed-in user. Source:
/// <https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities> and
/// <https://learn.microsoft.com/azure/app-service/configure-authentication-oauth-tokens>.
const TOKENS: &str = "x-ms-token-";
const PRINCIPAL: &str = "x-ms-client-principal";

impl BindingExpression {
    /// Fills the placeholders from a request. Returns `None` if a value is missing or not trusted.
    #[must_use]
    pub fn resolve(&self, request: &NegotiateRequest) -> Option<String> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Text(literal) => text.push_str(literal),
                Part::Header(name) => text.push_str(header(request, name)?),
                Part::Query(name) => text.push_str(request.query().get(name)?),
            }
        }
        Some(text)
    }

    /// Whether all placeholders refer to headers that App Service sets.
    pub(super) fn is_verified(&self) -> bool {
        let mut values = self.parts.iter().filter(|part| !matches!(part, Part::Text(_))).peekable();
        values.peek().is_some()
            && values.all(|part| matches!(part, Part::Header(name) if is_app_services(name)))
    }
}

/// Returns a header that the request contains once, and that is trusted if App Service sets it.
fn header<'a>(request: &'a NegotiateRequest, name: &str) -> Option<&'a str> {
    // `NegotiateRequest` already hides headers of the principal that are not trusted. App Service sends a
    // token only together with a principal, so a token without a principal is forged.
    if name.starts_with(TOKENS) && request.app_service_user().is_none() {
        return None;
    }
    if request.headers().get_all(name).iter().nth(1).is_some() {
        return None;
    }
    request.header(name).filter(|value| !value.is_empty())
}

fn is_app_services(name: &str) -> bool {
    name.starts_with(TOKENS) || name.starts_with(PRINCIPAL)
}

impl FromStr for BindingExpression {
    type Err = BindingError;

    fn from_str(expression: &str) -> Result<Self, BindingError> {
        let wrong =
            |problem| BindingError::Expression { expression: expression.to_owned(), problem };
        if expression.match_indices('%').nth(1).is_some() {
            return Err(wrong("settings (`%NAME%`) are not inserted; read the setting in the app"));
        }
        let mut parts = Vec::new();
        let mut rest = expression;
        while let Some((literal, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| wrong("`{` without `}`"))?;
            if !literal.is_empty() {
                parts.push(Part::Text(literal.to_owned()));
            }
            parts
                .push(part(name).ok_or_else(|| {
                    wrong("placeholders are `{headers.NAME}` and `{query.NAME}`")
                })?);
            rest = after;
        }
        if rest.contains('}') {
            return Err(wrong("`}` without `{`"));
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Self { parts })
    }
}

/// Parses `headers.NAME` or `query.NAME`. `headers` and `query` are case-insensitive.
fn part(text: &str) -> Option<Part> {
    let (kind, name) = text.split_once('.')?;
    if name.is_empty() || name.contains('{') {
        return None;
    }
    if kind.eq_ignore_ascii_case("headers") {
        let known = http::HeaderName::from_bytes(name.as_bytes()).ok()?;
        return Some(Part::Header(known.as_str().to_owned()));
    }
    kind.eq_ignore_ascii_case("query").then(|| Part::Query(name.to_owned()))
}

impl fmt::Display for BindingExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(literal) => f.write_str(literal)?,
                Part::Header(name) => write!(f, "{{headers.{name}}}")?,
                Part::Query(name) => write!(f, "{{query.{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};
    use hub_core::Query;

    use super::*;

    fn request(headers: &[(&'static str, &'static str)], query: &str) -> NegotiateRequest {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        NegotiateRequest::new(headers, Query::parse(query))
    }

    fn resolve(expression: &str, request: &NegotiateRequest) -> Option<String> {
        expression.parse::<BindingExpression>().unwrap().resolve(request)
    }

    #[test]
    fn headers_and_query_are_put_into_the_text() {
        let request = request(&[("x-tenant", "t1")], "name=ada");

        assert_eq!(resolve("{headers.X-Tenant}/{query.name}", &request).as_deref(), Some("t1/ada"));
        assert_eq!(resolve("fixed", &request).as_deref(), Some("fixed"));
        assert_eq!(resolve("{query.other}", &request), None);
    }

    #[test]
    fn app_service_headers_in_expressions_are_read_only_behind_app_service() {
        let headers =
            [("x-ms-client-principal-id", "ada"), ("x-ms-token-aad-id-token", "e30.e30.x")];
        let outside = request(&headers, "");
        let behind = request(&headers, "").behind_app_service();

        for expression in
            ["{headers.x-ms-client-principal-id}", "{headers.x-ms-token-aad-id-token}"]
        {
            assert_eq!(resolve(expression, &outside), None, "{expression}");
            assert!(resolve(expression, &behind).is_some(), "{expression}");
        }
        let forged = request(&[("x-ms-token-aad-id-token", "e30.e30.x")], "");
        let expression = "{headers.x-ms-token-aad-id-token}";
        assert_eq!(resolve(expression, &forged.behind_app_service()), None);
    }

    #[test]
    fn a_duplicate_header_returns_none() {
        let mut headers = HeaderMap::new();
        headers.append("x-user", HeaderValue::from_static("ada"));
        headers.append("x-user", HeaderValue::from_static("eve"));

        let request = NegotiateRequest::new(headers, Query::default());

        assert_eq!(resolve("{headers.x-user}", &request), None);
    }

    #[test]
    fn malformed_expressions_are_errors_with_a_reason() {
        for malformed in [
            "{headers.a",
            "a}",
            "{headers}",
            "{body.a}",
            "{headers.a b}",
            "{query.}",
            "{rand-guid}",
            "{id}",
            "%USER_SETTING%",
        ] {
            let error = malformed.parse::<BindingExpression>().unwrap_err();

            assert!(error.to_string().contains(malformed), "{error}");
        }
    }

    #[test]
    fn an_expression_is_shown_as_it_is_written() {
        let text = "u-{headers.x-user}-{query.n}!";

        assert_eq!(text.parse::<BindingExpression>().unwrap().to_string(), text);
    }
}
