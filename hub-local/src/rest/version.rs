//! API versions. They differ in a few statuses and in the format of errors; all operations exist in all
//! versions.

use http::StatusCode;

use crate::query::Query;

/// An API version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiVersion {
    /// `/api/v1`.
    V1,
    /// `api-version=2020-10-01`.
    Preview2020,
    /// `2022-06-01` and later. Also applies to a call with an unknown `api-version`, or without one.
    Dated,
}

impl ApiVersion {
    pub(super) fn of(path: &str, query: Query<'_>) -> Self {
        let prefix = "/api/v1/";
        if path.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            return Self::V1;
        }
        match query.first("api-version").as_deref() {
            Some("2020-10-01") => Self::Preview2020,
            _ => Self::Dated,
        }
    }

    /// Status after closing a connection.
    pub(super) fn closed_connection(self) -> StatusCode {
        match self {
            Self::V1 => StatusCode::ACCEPTED,
            Self::Preview2020 | Self::Dated => StatusCode::OK,
        }
    }

    /// Status after adding a user to a group.
    pub(super) fn added_user(self) -> StatusCode {
        match self {
            Self::V1 | Self::Preview2020 => StatusCode::ACCEPTED,
            Self::Dated => StatusCode::OK,
        }
    }

    /// Status after removing a user from a group.
    pub(super) fn removed_user(self) -> StatusCode {
        match self {
            Self::V1 => StatusCode::ACCEPTED,
            Self::Preview2020 => StatusCode::OK,
            Self::Dated => StatusCode::NO_CONTENT,
        }
    }

    /// Status after removing a user from all groups.
    pub(super) fn removed_user_from_all(self) -> StatusCode {
        match self {
            Self::V1 | Self::Preview2020 => StatusCode::OK,
            Self::Dated => StatusCode::NO_CONTENT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_takes_precedence_over_the_query_and_unknown_versions_are_the_newest() {
        let of = |path, query| ApiVersion::of(path, Query::new(query));

        assert_eq!(of("/api/v1/hubs/chat", Some("api-version=2020-10-01")), ApiVersion::V1);
        assert_eq!(of("/api/hubs/chat", Some("Api-Version=2020-10-01")), ApiVersion::Preview2020);
        assert_eq!(of("/api/hubs/v1", Some("api-version=1900-01-01")), ApiVersion::Dated);
        assert_eq!(of("/API/V1/hubs/chat", None), ApiVersion::V1);
        assert_eq!(of("/api/hubs/chat", None), ApiVersion::Dated);
    }
}
