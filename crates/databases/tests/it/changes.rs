//! Changes as `tables` makes them, on the engines as they are: the same steps, the same outcome.

mod conditions;
mod inserting;
mod putting;
mod rules;
mod shop;
mod touching;
mod transactions;
mod values;
