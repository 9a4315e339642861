//! The service's face.

use std::net::Ipv4Addr;

use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::orders::{Failure, NewLine, Store};

pub async fn serve<S: Store>(port: u16, store: S) -> Result<(), Failure> {
    let router = Router::new()
        .route("/orders", get(orders::<S>))
        .route("/orders/{id}", get(order::<S>))
        .route("/lines", post(add::<S>))
        .with_state(store);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await?
        .tap_io(|connection| {
            // Without it answers are slower, and still right.
            let _ = connection.set_nodelay(true);
        });
    axum::serve(listener, router).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Wanted {
    customer: Option<i64>,
    limit: Option<i64>,
    with: Option<String>,
}

const MOST: i64 = 1000;

async fn orders<S: Store>(State(store): State<S>, Query(wanted): Query<Wanted>) -> Result<Response, Failed> {
    let limit = wanted.limit.unwrap_or(MOST).clamp(0, MOST);
    Ok(match (wanted.customer, wanted.with.as_deref()) {
        (Some(customer), Some("lines")) => Json(store.with_lines(customer, limit).await?).into_response(),
        (Some(customer), None) => Json(store.of_customer(customer, limit).await?).into_response(),
        (None, None) => Json(store.first(limit).await?).into_response(),
        _ => StatusCode::BAD_REQUEST.into_response(),
    })
}

async fn order<S: Store>(State(store): State<S>, Path(id): Path<i64>) -> Result<Response, Failed> {
    Ok(match store.order(id).await? {
        Some(order) => Json(order).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    })
}

async fn add<S: Store>(State(store): State<S>, Json(line): Json<NewLine>) -> Result<impl IntoResponse, Failed> {
    let id = store.add(line).await?;
    Ok((StatusCode::CREATED, [(header::LOCATION, format!("/lines/{id}"))]))
}

struct Failed(Failure);

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Failed {
        Failed(failure)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        eprintln!("{}", self.0);
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
