//! Addresses and networks.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::check::Node;
use crate::evaluate::Evaluation;
use crate::problem::Failure;
use crate::value::Value;

/// A network, or a single address as the network that has no other.
pub(crate) fn read(text: &str) -> Option<IpNet> {
    let network = text.parse::<IpNet>().ok();
    network
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        .map(|network| network.trunc())
}

impl<'a> Evaluation<'a> {
    pub(super) fn in_network(&mut self, of: &'a Node, networks: &'a [IpNet]) -> Result<Value<'a>, Failure> {
        let Value::String(text) = self.evaluate(of)? else {
            return Err(Failure::WrongType("`inNetwork`"));
        };
        self.charge(networks.len() / 4)?;
        let address: IpAddr = text.parse().map_err(|_| Failure::Unreadable("address"))?;
        let address = address.to_canonical();
        Ok(Value::Bool(networks.iter().any(|network| network.contains(&address))))
    }
}
