//! Every overload of every function.

use super::Shape::{
    Any, AnyList, AnyMap, Bool, Bytes, Double, Duration, Int, String, Strings, Timestamp, Type as TypeShape, Uint,
};
use super::{Function, Overload, Part, Shape, Style};

/// Every overload there is.
pub(crate) static OVERLOADS: &[Overload] = &[
    both("size", Function::Size, &[String], Int),
    both("size", Function::Size, &[Bytes], Int),
    both("size", Function::Size, &[AnyList], Int),
    both("size", Function::Size, &[AnyMap], Int),
    global("int", Function::ToInt, &[Int], Int),
    global("int", Function::ToInt, &[Uint], Int),
    global("int", Function::ToInt, &[Double], Int),
    global("int", Function::ToInt, &[String], Int),
    global("int", Function::ToInt, &[Timestamp], Int),
    global("uint", Function::ToUint, &[Uint], Uint),
    global("uint", Function::ToUint, &[Int], Uint),
    global("uint", Function::ToUint, &[Double], Uint),
    global("uint", Function::ToUint, &[String], Uint),
    global("double", Function::ToDouble, &[Double], Double),
    global("double", Function::ToDouble, &[Int], Double),
    global("double", Function::ToDouble, &[Uint], Double),
    global("double", Function::ToDouble, &[String], Double),
    global("string", Function::ToString, &[String], String),
    global("string", Function::ToString, &[Bool], String),
    global("string", Function::ToString, &[Int], String),
    global("string", Function::ToString, &[Uint], String),
    global("string", Function::ToString, &[Double], String),
    global("string", Function::ToString, &[Bytes], String),
    global("string", Function::ToString, &[Timestamp], String),
    global("string", Function::ToString, &[Duration], String),
    global("bytes", Function::ToBytes, &[Bytes], Bytes),
    global("bytes", Function::ToBytes, &[String], Bytes),
    global("bool", Function::ToBool, &[Bool], Bool),
    global("bool", Function::ToBool, &[String], Bool),
    global("timestamp", Function::ToTimestamp, &[Timestamp], Timestamp),
    global("timestamp", Function::ToTimestamp, &[String], Timestamp),
    global("timestamp", Function::ToTimestamp, &[Int], Timestamp),
    global("duration", Function::ToDuration, &[Duration], Duration),
    global("duration", Function::ToDuration, &[String], Duration),
    global("dyn", Function::Dyn, &[Any], Any),
    global("type", Function::TypeOf, &[Any], TypeShape),
    method("contains", Function::Contains, &[String, String], Bool),
    method("startsWith", Function::StartsWith, &[String, String], Bool),
    method("endsWith", Function::EndsWith, &[String, String], Bool),
    both("matches", Function::Matches, &[String, String], Bool),
    method("lowerAscii", Function::LowerAscii, &[String], String),
    method("upperAscii", Function::UpperAscii, &[String], String),
    method("trim", Function::Trim, &[String], String),
    method("split", Function::Split, &[String, String], Strings),
    method("split", Function::Split, &[String, String, Int], Strings),
    method("join", Function::Join, &[Strings], String),
    method("join", Function::Join, &[Strings, String], String),
    method("replace", Function::Replace, &[String, String, String], String),
    method("replace", Function::Replace, &[String, String, String, Int], String),
    method("substring", Function::Substring, &[String, Int], String),
    method("substring", Function::Substring, &[String, Int, Int], String),
    method("indexOf", Function::IndexOf, &[String, String], Int),
    method("indexOf", Function::IndexOf, &[String, String, Int], Int),
    method("lastIndexOf", Function::LastIndexOf, &[String, String], Int),
    method("lastIndexOf", Function::LastIndexOf, &[String, String, Int], Int),
    method("charAt", Function::CharAt, &[String, Int], String),
    method("reverse", Function::Reverse, &[String], String),
    method("inNetwork", Function::InNetwork, &[String, String], Bool),
    method("inNetwork", Function::InNetwork, &[String, Strings], Bool),
    method("getFullYear", Function::Time(Part::FullYear), &[Timestamp], Int),
    method("getFullYear", Function::Time(Part::FullYear), &[Timestamp, String], Int),
    method("getMonth", Function::Time(Part::Month), &[Timestamp], Int),
    method("getMonth", Function::Time(Part::Month), &[Timestamp, String], Int),
    method("getDate", Function::Time(Part::Date), &[Timestamp], Int),
    method("getDate", Function::Time(Part::Date), &[Timestamp, String], Int),
    method("getDayOfMonth", Function::Time(Part::DayOfMonth), &[Timestamp], Int),
    method(
        "getDayOfMonth",
        Function::Time(Part::DayOfMonth),
        &[Timestamp, String],
        Int,
    ),
    method("getDayOfWeek", Function::Time(Part::DayOfWeek), &[Timestamp], Int),
    method(
        "getDayOfWeek",
        Function::Time(Part::DayOfWeek),
        &[Timestamp, String],
        Int,
    ),
    method("getDayOfYear", Function::Time(Part::DayOfYear), &[Timestamp], Int),
    method(
        "getDayOfYear",
        Function::Time(Part::DayOfYear),
        &[Timestamp, String],
        Int,
    ),
    method("getHours", Function::Time(Part::Hours), &[Timestamp], Int),
    method("getHours", Function::Time(Part::Hours), &[Timestamp, String], Int),
    method("getHours", Function::Time(Part::Hours), &[Duration], Int),
    method("getMinutes", Function::Time(Part::Minutes), &[Timestamp], Int),
    method("getMinutes", Function::Time(Part::Minutes), &[Timestamp, String], Int),
    method("getMinutes", Function::Time(Part::Minutes), &[Duration], Int),
    method("getSeconds", Function::Time(Part::Seconds), &[Timestamp], Int),
    method("getSeconds", Function::Time(Part::Seconds), &[Timestamp, String], Int),
    method("getSeconds", Function::Time(Part::Seconds), &[Duration], Int),
    method("getMilliseconds", Function::Time(Part::Milliseconds), &[Timestamp], Int),
    method(
        "getMilliseconds",
        Function::Time(Part::Milliseconds),
        &[Timestamp, String],
        Int,
    ),
    method("getMilliseconds", Function::Time(Part::Milliseconds), &[Duration], Int),
];

const fn method(name: &'static str, function: Function, takes: &'static [Shape], gives: Shape) -> Overload {
    let style = Style::Method;
    Overload {
        name,
        function,
        style,
        takes,
        gives,
    }
}

const fn global(name: &'static str, function: Function, takes: &'static [Shape], gives: Shape) -> Overload {
    let style = Style::Global;
    Overload {
        name,
        function,
        style,
        takes,
        gives,
    }
}

const fn both(name: &'static str, function: Function, takes: &'static [Shape], gives: Shape) -> Overload {
    let style = Style::Both;
    Overload {
        name,
        function,
        style,
        takes,
        gives,
    }
}
