use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use tokio::net::TcpStream;

use super::CONTENT;
use crate::grpc::MESSAGE;

/// Answers GET, and any other request as a call of gRPC. What goes wrong on a connection, the load's clients tell.
pub(super) async fn serve(stream: TcpStream) -> Result<(), h2::Error> {
    let mut connection = h2::server::handshake(stream).await?;
    while let Some(accepted) = connection.accept().await {
        let (request, answer) = accepted?;
        if request.method() == Method::GET {
            get(answer)?;
        } else {
            tokio::spawn(call(request, answer));
        }
    }
    Ok(())
}

fn get(mut answer: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let head = Response::builder()
        .header("content-length", CONTENT.len())
        .body(())
        .expect("the answer is well formed");
    answer
        .send_response(head, false)?
        .send_data(Bytes::from_static(&CONTENT), true)
}

async fn call(request: Request<RecvStream>, mut answer: SendResponse<Bytes>) -> Result<(), h2::Error> {
    let mut content = request.into_body();
    let mut length = 0;
    while let Some(piece) = content.data().await.transpose()? {
        length += piece.len();
        content.flow_control().release_capacity(piece.len())?;
    }
    if length != MESSAGE.len() {
        answer.send_reset(Reason::INTERNAL_ERROR);
        return Ok(());
    }
    let head = Response::builder()
        .header("content-type", "application/grpc")
        .body(())
        .expect("the answer is well formed");
    let mut content = answer.send_response(head, false)?;
    content.send_data(Bytes::from_static(MESSAGE), false)?;
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    content.send_trailers(trailers)
}
