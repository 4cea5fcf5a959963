//! What the pages ask for.

use super::super::{Filter, ViewError, compare, help, index, row};
use super::{State, Viewed};
use crate::output::Choice;
use crate::pages::{PAGES, Page};
use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State as Of};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// A failure, as pages are told.
pub struct Refused(StatusCode, String);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        (self.0, Json(json!({"error": self.1}))).into_response()
    }
}

impl From<ViewError> for Refused {
    fn from(error: ViewError) -> Self {
        let status = match error {
            ViewError::Unknown(_) => StatusCode::NOT_FOUND,
            ViewError::Question(_) => StatusCode::BAD_REQUEST,
            ViewError::Changed => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self(status, error.to_string())
    }
}

impl From<QueryRejection> for Refused {
    fn from(rejection: QueryRejection) -> Self {
        Self(StatusCode::BAD_REQUEST, rejection.body_text())
    }
}

impl From<JsonRejection> for Refused {
    fn from(rejection: JsonRejection) -> Self {
        Self(rejection.status(), rejection.body_text())
    }
}

type Answer = Result<Json<Value>, Refused>;

/// Works on a thread that may wait for the disk.
async fn answer<T: Serialize>(
    state: Arc<State>,
    work: impl FnOnce(&State) -> Result<T, ViewError> + Send + 'static,
) -> Answer {
    let worked = tokio::task::spawn_blocking(move || {
        let made = work(&state)?;
        serde_json::to_value(made).map_err(|error| ViewError::Question(error.to_string()))
    });
    let panicked = |_| Refused(StatusCode::INTERNAL_SERVER_ERROR, "the request could not be answered".to_owned());
    Ok(Json(worked.await.map_err(panicked)??))
}

impl State {
    fn folder(&self, number: usize) -> Result<&Viewed, ViewError> {
        let unknown = || ViewError::Question(format!("there is no folder {number}"));
        self.folders.get(number).ok_or_else(unknown)
    }
}

pub async fn folders(Of(state): Of<Arc<State>>) -> Answer {
    let name = |viewed: &Viewed| viewed.outputs.display().to_string();
    Ok(Json(json!({"folders": state.folders.iter().map(name).collect::<Vec<_>>()})))
}

pub async fn list(
    Of(state): Of<Arc<State>>,
    Path(folder): Path<usize>,
    filter: Result<Query<Filter>, QueryRejection>,
) -> Answer {
    let Query(filter) = filter?;
    answer(state, move |state| {
        let viewed = state.folder(folder)?;
        viewed.read(|reader, _| filter.list(reader, &viewed.path))
    })
    .await
}

/// A conversation by its id.
#[derive(Debug, Deserialize)]
pub struct One {
    id: String,
}

pub async fn conversation(
    Of(state): Of<Arc<State>>,
    Path(folder): Path<usize>,
    one: Result<Query<One>, QueryRejection>,
) -> Answer {
    let Query(One { id }) = one?;
    answer(state, move |state| {
        let viewed = state.folder(folder)?;
        let (place, label) = viewed.read(|reader, labels| {
            let place = index::place(reader, &viewed.outputs, &id).map_err(ViewError::index(&viewed.path))?;
            Ok((place, labels.get(&id).cloned()))
        })?;
        let row = row::read(place.ok_or_else(|| ViewError::Unknown(id.clone()))?, &id)?;
        let (explained, unexplained) = match (state.known.explain)(&viewed.outputs, &id) {
            Ok(explained) => (Some(explained), None),
            Err(why) => (None, Some(why)),
        };
        Ok(json!({"id": id, "row": row, "explained": explained, "unexplained": unexplained, "label": label}))
    })
    .await
}

pub async fn overview(Of(state): Of<Arc<State>>, Path(folder): Path<usize>) -> Answer {
    answer(state, move |state| {
        let viewed = state.folder(folder)?;
        Ok(json!({"figures": viewed.figures()?, "state": told(viewed)}))
    })
    .await
}

pub async fn runs(Of(state): Of<Arc<State>>, Path(folder): Path<usize>) -> Answer {
    answer(state, move |state| {
        let viewed = state.folder(folder)?;
        let (runs, unknown) = match (state.known.runs)(&viewed.outputs) {
            Ok(runs) => (Some(runs), None),
            Err(why) => (None, Some(why)),
        };
        Ok(json!({"runs": runs, "unknown": unknown, "state": told(viewed)}))
    })
    .await
}

/// How far an index is, and what keeps it from following its files.
fn told(viewed: &Viewed) -> Value {
    json!({
        "indexed": viewed.progress.share(),
        "revision": viewed.revision.load(Ordering::Relaxed),
        "trouble": [super::held(&viewed.trouble).clone(), super::held(&viewed.reader).trouble.clone()],
    })
}

pub async fn compared(Of(state): Of<Arc<State>>, asked: Result<Query<compare::Compare>, QueryRejection>) -> Answer {
    let Query(asked) = asked?;
    answer(state, move |state| {
        let sides = |folder, run: &str| {
            let viewed = state.folder(folder)?;
            viewed.read(|reader, _| compare::sides(reader, &viewed.path, run))
        };
        let (left, right) = (sides(asked.folder_a, &asked.a)?, sides(asked.folder_b, &asked.b)?);
        Ok(compare::compare(left, right, asked.offset))
    })
    .await
}

/// What is to be thought of a conversation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posted {
    conversation_id: String,
    label: Option<Choice>,
    #[serde(default)]
    note: String,
}

pub async fn label(
    Of(state): Of<Arc<State>>,
    Path(folder): Path<usize>,
    posted: Result<Json<Posted>, JsonRejection>,
) -> Answer {
    let Json(Posted { conversation_id, label, note }) = posted?;
    answer(state, move |state| {
        let viewed = state.folder(folder)?;
        viewed.read(|reader, labels| {
            let place =
                index::place(reader, &viewed.outputs, &conversation_id).map_err(ViewError::index(&viewed.path))?;
            place.ok_or_else(|| ViewError::Unknown(conversation_id.clone()))?;
            labels.add(&conversation_id, label, &note)
        })
    })
    .await
}

/// Which page of `dlgforge help` is asked for.
#[derive(Debug, Deserialize)]
pub struct Topic {
    topic: Option<String>,
}

/// A page of `dlgforge help`, by default the first, and which there are.
pub async fn help(topic: Result<Query<Topic>, QueryRejection>) -> Answer {
    let Query(Topic { topic }) = topic?;
    let page = topic.map_or(Some(PAGES[0]), |topic| Page::on(&topic));
    let page = page.ok_or_else(|| Refused(StatusCode::NOT_FOUND, "there is no page on this".to_owned()))?;
    let pages = PAGES.map(|page| json!({"topic": page.topic, "title": page.title()}));
    Ok(Json(json!({"pages": pages, "pieces": help::pieces(page)})))
}
