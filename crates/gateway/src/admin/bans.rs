//! Who is kept out, and what operators do about it.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use ipnet::IpNet;
use portcullis_config::units;
use portcullis_core::{Error, Method, Request, Response, Status, codes};

use super::parameters::Parameters;
use super::{Desk, only, problem, reads, text};
use crate::telemetry::log;

/// For how long an operator's ban lasts where none is said.
const USUAL: Duration = Duration::from_secs(3600);

/// The longest reason that is kept.
const LONGEST_REASON: usize = 200;

/// The answer, when the request is for these endpoints.
pub(super) fn answer(desk: &Desk, request: &Request) -> Option<Response> {
    if request.target.path() != "/bans" {
        return None;
    }
    let parameters = Parameters::of(request.target.query());
    Some(match request.method {
        _ if reads(request) => {
            let told = desk.state.kept.bans.told(SystemTime::now());
            Response::new(Status::OK).with_body("application/json", format!("{told:#}\n"))
        }
        Method::Post => ban(desk, &parameters).unwrap_or_else(|error| problem(&error)),
        Method::Delete => lift(desk, &parameters).unwrap_or_else(|error| problem(&error)),
        _ => only("GET, HEAD, POST, DELETE"),
    })
}

fn ban(desk: &Desk, parameters: &Parameters) -> Result<Response, Error> {
    let network = network(parameters)?;
    let lasting = match parameters.get("for") {
        None => USUAL,
        Some(written) => {
            let lasting: Result<units::Duration, _> = written.parse();
            lasting
                .map_err(|why| Error::new(&codes::BAD_QUERY).with_detail(format!("`for`: {why}")))?
                .0
        }
    };
    let reason = parameters.get("reason").unwrap_or("by an operator");
    if reason.len() > LONGEST_REASON {
        let most = format!("`reason` has {LONGEST_REASON} bytes at the most");
        return Err(Error::new(&codes::BAD_QUERY).with_detail(most));
    }
    let made = desk.state.kept.bans.ban(network, lasting, reason, SystemTime::now());
    made.map_err(|_| {
        Error::new(&codes::CONFLICT)
            .with_detail("as many networks are banned as can be: lift some, or deny them by the `ip` policy")
    })?;
    desk.state.handover.changed();
    log::info(format_args!(
        "banned by an operator: {network} for {lasting:?}: {reason:?}"
    ));
    Ok(text(
        Status::OK,
        &format!("{network} is banned for {}\n", units::Duration(lasting)),
    ))
}

fn lift(desk: &Desk, parameters: &Parameters) -> Result<Response, Error> {
    let network = network(parameters)?;
    let lifted = desk.state.kept.bans.lift(network);
    if lifted == 0 {
        let none = format!("nothing within {network} is banned");
        return Err(Error::new(&codes::RESOURCE_NOT_FOUND).with_detail(none));
    }
    desk.state.handover.changed();
    log::info(format_args!("lifted by an operator: {lifted} bans within {network}"));
    Ok(text(Status::OK, &format!("{lifted} lifted\n")))
}

fn network(parameters: &Parameters) -> Result<IpNet, Error> {
    let written = parameters.need("network")?;
    let address = || written.parse::<IpAddr>().map(IpNet::from);
    written.parse::<IpNet>().or_else(|_| address()).map_err(|_| {
        Error::new(&codes::BAD_QUERY).with_detail(format!(
            "`{written}` is neither an address nor a network, such as 192.0.2.0/24"
        ))
    })
}
