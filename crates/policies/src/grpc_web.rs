//! `grpc_web` lets pages call gRPC servers: it translates between gRPC-Web, which browsers can speak, and gRPC (the document
//! `PROTOCOL-WEB` of gRPC).
//!
//! ```yaml
//! grpc_web: true
//! cors:
//!   origins: [https://app.example.com]
//!   headers: [Content-Type, X-Grpc-Web, X-User-Agent, Grpc-Timeout, Authorization]
//!   expose: [Grpc-Status, Grpc-Message, Grpc-Encoding, Grpc-Status-Details-Bin]
//! ```
//!
//! A request of the type `application/grpc-web`, with `+proto` or another suffix, reaches the backend as `application/grpc`.
//! Its messages have the same form in both, and pass as they come. The trailers of the answer, with the status, become the
//! last frame of its content, since a page sees no trailers. An answer that consists of a status alone has it among its
//! header fields, in both protocols; a page can read those only where `cors` exposes them.
//!
//! `application/grpc-web-text` is the same in Base64. What the answer is written in is said by `Accept`, and where it says
//! nothing of the two it is as the request. Requests of any other type pass as they are, so that gRPC itself can use the same
//! route.
//!
//! An answer that isn't gRPC passes as it is: clients make a status of its HTTP status themselves. Failures of the gate are
//! written by the one place that writes them all, by the request's type.

mod media_type;
mod text_request;
mod web_response;

use portcullis_core::grpc::Kind;
use portcullis_core::{Body, Ctx, Known, Next, Policy, Reply, Request, Response};

use media_type::WebType;

/// Translates between gRPC-Web and gRPC.
#[derive(Debug)]
pub struct GrpcWeb;

impl Policy for GrpcWeb {
    fn call<'a>(&'a self, cx: &'a mut Ctx, mut request: Request, next: Next<'a>) -> Reply<'a> {
        let content_type = request.headers.get(Known::ContentType).and_then(WebType::parse);
        let Some(content_type) = content_type else {
            return next.run(cx, request);
        };
        let kind = media_type::accepted(&request.headers).unwrap_or(content_type.kind);
        translate_request(&mut request, &content_type);
        Reply::later(async move {
            let mut response = next.run(cx, request).await?;
            translate_response(&mut response, kind);
            Ok(response)
        })
    }
}

fn translate_request(request: &mut Request, content_type: &WebType) {
    request.headers.set(Known::ContentType, content_type.of_grpc());
    // What the client takes is translated here; the server's own types are its to choose.
    request.headers.remove(Known::Accept);
    if content_type.kind == Kind::WebText {
        request.headers.remove(Known::ContentLength);
        let body = std::mem::take(&mut request.body);
        if !body.is_empty() {
            request.body = text_request::decoded(body);
        }
    }
}

fn translate_response(response: &mut Response, kind: Kind) {
    let content_type = response.headers.get(Known::ContentType);
    let Some(content_type) = content_type.and_then(|content_type| media_type::of_web(content_type, kind)) else {
        return;
    };
    response.headers.set(Known::ContentType, content_type);
    response.headers.remove(Known::Trailer);
    let body = std::mem::take(&mut response.body);
    if !body.is_empty() {
        response.headers.remove(Known::ContentLength);
        response.body = Body::Stream(Box::new(web_response::WebResponse::new(body, kind)));
    }
}

#[cfg(test)]
mod tests;
