//! Python objects as JSON values; decimals keep their digits.

use clisonix_fhir::json::{MAX_DEPTH, Number, Object, Value};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType};

use crate::failure::Failure;

/// Most members of one dict.
pub(crate) const MAX_MEMBERS: usize = 4096;
/// Most values in one argument, nested ones counted.
pub(crate) const MAX_VALUES: usize = 8_000_000;

static DECIMAL: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// Reads dict, list, tuple, str, bool, int, float, Decimal and None as JSON.
pub(crate) fn read(object: &Bound<'_, PyAny>) -> Result<Value, Failure> {
    let decimal = DECIMAL.import(object.py(), "decimal", "Decimal").map_err(|_| unfit(object))?;
    Reader { decimal, depth: 0, left: MAX_VALUES }.value(object)
}

struct Reader<'a, 'py> {
    decimal: &'a Bound<'py, PyType>,
    depth: usize,
    left: usize,
}

impl Reader<'_, '_> {
    fn value(&mut self, object: &Bound<'_, PyAny>) -> Result<Value, Failure> {
        self.left = self.left.checked_sub(1).ok_or_else(|| limit("too many values"))?;
        if let Ok(text) = object.cast::<PyString>() {
            return Ok(Value::from(text_of(text)?));
        }
        if let Ok(dict) = object.cast::<PyDict>() {
            return self.nested(|reader| reader.object(dict));
        }
        if let Ok(list) = object.cast::<PyList>() {
            return self.nested(|reader| list.iter().map(|item| reader.value(&item)).collect());
        }
        if let Ok(tuple) = object.cast::<PyTuple>() {
            return self.nested(|reader| tuple.iter().map(|item| reader.value(&item)).collect());
        }
        if object.is_none() {
            return Ok(Value::Null);
        }
        if let Ok(truth) = object.cast::<PyBool>() {
            return Ok(Value::Bool(truth.is_true()));
        }
        self.number(object)
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, Failure>,
    ) -> Result<Value, Failure> {
        if self.depth >= MAX_DEPTH {
            return Err(limit("nested too deeply"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn object(&mut self, dict: &Bound<'_, PyDict>) -> Result<Value, Failure> {
        if dict.len() > MAX_MEMBERS {
            return Err(limit("an object with too many members"));
        }
        let mut object = Object::with_capacity(dict.len());
        for (name, member) in dict.iter() {
            let name = name
                .cast::<PyString>()
                .map_err(|_| Failure::Type("the names in a dict must be str".into()))?;
            object.insert(text_of(name)?, self.value(&member)?);
        }
        Ok(Value::Object(object))
    }

    fn number(&self, object: &Bound<'_, PyAny>) -> Result<Value, Failure> {
        if object.is_instance_of::<PyInt>() {
            if let Ok(number) = object.extract::<i64>() {
                return Ok(Value::from(number));
            }
        } else if !object.is_instance_of::<PyFloat>()
            && !object.is_instance(self.decimal).unwrap_or(false)
        {
            return Err(unfit(object));
        }
        let text = object.str().map_err(|_| unfit(object))?;
        let text = text_of(&text)?;
        // A subclass may know the text that it was read from.
        let exact = object.get_type().is(self.decimal);
        let text = if exact { plain(&text).unwrap_or(text) } else { text };
        match Number::from_text(&text) {
            Some(number) => Ok(Value::Number(number)),
            None => Err(limit("a number that is not finite or too long")),
        }
    }
}

/// Python writes small decimals with an exponent (`1E-8`) although they were given as `0.00000001`:
/// back to plain digits. Other exponents stay as they are.
fn plain(text: &str) -> Option<String> {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (mantissa, exponent) = digits.split_once("E-")?;
    let exponent: usize = exponent.parse().ok().filter(|&places| places <= MAX_PLAIN_PLACES)?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    Some(format!("{sign}0.{}{whole}{fraction}", "0".repeat(exponent.checked_sub(1)?)))
}

/// Most places after the point that are written out.
const MAX_PLAIN_PLACES: usize = 64;

fn text_of(text: &Bound<'_, PyString>) -> Result<String, Failure> {
    // Lone surrogates, which are no text, are the one thing that fails here.
    text.extract().map_err(|_| limit("a str that is not Unicode text"))
}

fn limit(message: &str) -> Failure {
    Failure::invalid("", message)
}

fn unfit(object: &Bound<'_, PyAny>) -> Failure {
    let name = object.get_type().name().map(|name| name.to_string()).unwrap_or_default();
    Failure::Type(format!("a {name} has no form in JSON"))
}
