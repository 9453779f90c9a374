//! From YAML to values. Both forms of an intrinsic function, `!Sub` and `Fn::Sub:`, become a call.

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::{
    intrinsics::Intrinsic,
    value::{Fault, Node, Value},
};

/// Reads the one document of a template.
pub(crate) fn parse(text: &str) -> Result<Node, Fault> {
    let mut reader = Reader {
        events: Parser::new_from_str(text),
        line: 1,
    };
    loop {
        match reader.next()? {
            Event::StreamStart | Event::DocumentStart(_) => {}
            event => return reader.node(event),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    /// The line of the latest event.
    line: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, Fault> {
        match self.events.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            Some(Err(error)) => Err(Fault::new(error.marker().line(), error.info())),
            None => Ok(Event::StreamEnd),
        }
    }

    /// The node that begins with this event.
    fn node(&mut self, event: Event<'a>) -> Result<Node, Fault> {
        let line = self.line;
        let (value, tag) = match event {
            Event::Scalar(text, style, _, tag) => (scalar(&text, style, tag.as_deref()), tag),
            Event::SequenceStart(_, tag) => (self.list()?, tag),
            Event::MappingStart(_, tag) => (self.map()?, tag),
            Event::Alias(_) => {
                return Err(Fault::new(line, "CloudFormation knows no YAML aliases"));
            }
            _ => return Err(Fault::new(line, "a value is missing")),
        };
        let node = Node { line, value };
        match tag.as_deref().and_then(local_tag) {
            Some(name) => call(&name, node),
            None => Ok(node),
        }
    }

    fn list(&mut self) -> Result<Value, Fault> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                Event::SequenceEnd => return Ok(Value::List(items)),
                event => items.push(self.node(event)?),
            }
        }
    }

    fn map(&mut self) -> Result<Value, Fault> {
        let mut entries: Vec<(String, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                Event::MappingEnd => break,
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(Fault::new(self.line, "a key must be a string")),
            };
            let line = self.line;
            if entries.iter().any(|(name, _)| *name == key) {
                return Err(Fault::new(line, format!("{key} stands here twice")));
            }
            let event = self.next()?;
            let mut node = self.node(event)?;
            if !matches!(node.value, Value::Call(..)) {
                node.line = line;
            }
            entries.push((key, node));
        }
        let is_call = |key: &str| key == "Ref" || key.starts_with("Fn::");
        match <[_; 1]>::try_from(entries) {
            Ok([(key, argument)]) if is_call(&key) => Ok(call(&key, argument)?.value),
            Ok(entry) => Ok(Value::Map(entry.into())),
            Err(entries) => match entries.iter().find(|(key, _)| key.starts_with("Fn::")) {
                Some((key, node)) => Err(node.fault(format!("{key} must stand alone"))),
                None => Ok(Value::Map(entries)),
            },
        }
    }
}

/// `!Sub` is short for `Fn::Sub`; only `!Ref` and `!Condition` have no such prefix.
fn local_tag(tag: &Tag) -> Option<String> {
    match (tag.handle.as_str(), tag.suffix.as_str()) {
        ("!", "Ref" | "Condition") => Some(tag.suffix.clone()),
        ("!", suffix) => Some(format!("Fn::{suffix}")),
        _ => None,
    }
}

fn call(name: &str, argument: Node) -> Result<Node, Fault> {
    let intrinsic = Intrinsic::named(name)
        .ok_or_else(|| argument.fault(format!("{name} is not supported locally")))?;
    Ok(Node {
        line: argument.line,
        value: Value::Call(intrinsic, Box::new(argument)),
    })
}

/// The type of a scalar. As in YAML 1.1, which CloudFormation reads, `yes` and `on` are booleans.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
    if style != ScalarStyle::Plain || is_text {
        return Value::String(text.to_owned());
    }
    match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => Value::Null,
        "true" | "yes" | "on" => Value::Bool(true),
        "false" | "no" | "off" => Value::Bool(false),
        _ => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
    }
}

/// A number, if nothing is lost by taking the text for one: `007` stays a string, and so does `1.10`.
fn number(text: &str) -> Option<serde_json::Number> {
    let number: serde_json::Number = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> serde_json::Value {
        parse(text).unwrap().to_json()
    }

    fn fault(text: &str) -> Fault {
        parse(text).unwrap_err()
    }

    #[test]
    fn both_forms_of_an_intrinsic_function_are_the_same() {
        for (short, long) in [
            ("!Ref Table", "Ref: Table"),
            ("!Sub '${A}-b'", "Fn::Sub: '${A}-b'"),
            ("!GetAtt [A, Arn]", "Fn::GetAtt: [A, Arn]"),
            ("!If [C, !Ref A, b]", "Fn::If: [C, {Ref: A}, b]"),
            ("!Condition A", "!Condition A"),
        ] {
            assert_eq!(json(short), json(long));
        }
        assert_eq!(
            json("!If [C, !Ref A, b]").to_string(),
            r#"{"Fn::If":["C",{"Ref":"A"},"b"]}"#
        );
    }

    #[test]
    fn scalars_have_the_types_that_cloudformation_gives_them() {
        assert_eq!(
            json("[5, -1, 0.5, true, no, ~, 007, 1.10, '5', 2010-09-09, !!str 5, 1e3, x]")
                .to_string(),
            r#"[5,-1,0.5,true,false,null,"007","1.10","5","2010-09-09","5","1e3","x"]"#
        );
    }

    #[test]
    fn a_node_knows_the_line_of_its_key() {
        let root = parse("A: 1\nB:\n  # more\n  C: x\n  D:\n    - 1\n").unwrap();
        let line = |path: &[&str]| {
            path.iter()
                .try_fold(&root, |node, key| node.get(key))
                .unwrap()
                .line
        };
        assert_eq!(line(&["A"]), 1);
        assert_eq!(line(&["B"]), 2);
        assert_eq!(line(&["B", "C"]), 4);
        assert_eq!(line(&["B", "D"]), 5);
    }

    #[test]
    fn an_unknown_intrinsic_function_is_named_with_its_line() {
        let expected = Fault::new(2, "Fn::Transform is not supported locally");
        assert_eq!(fault("A: 1\nB: !Transform {Name: x}\n"), expected);
        let expected = Fault::new(3, "Fn::Transform is not supported locally");
        assert_eq!(fault("A: 1\nB:\n  Fn::Transform: {Name: x}\n"), expected);
        let expected = Fault::new(3, "Fn::Sub must stand alone");
        assert_eq!(fault("A:\n  C: 1\n  Fn::Sub: x\n"), expected);
    }

    #[test]
    fn what_is_no_template_is_named_with_its_line() {
        assert_eq!(fault("A: 1\nA: 2\n"), Fault::new(2, "A stands here twice"));
        assert_eq!(
            fault("A: &a 1\nB: *a\n"),
            Fault::new(2, "CloudFormation knows no YAML aliases")
        );
        assert_eq!(fault("A:\n  B: [1\nC: 2\n").line, 3);
        assert_eq!(fault("").message, "a value is missing");
    }
}
