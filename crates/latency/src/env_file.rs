//! A file of variables for `cargo lambda watch --env-file`, which gives all of them to every function.

use std::collections::BTreeMap;

use crate::BadInput;

/// The quotation marks that the file's reader knows. Within none of them does it know a way to write the mark itself.
const QUOTES: [char; 3] = ['\'', '`', '"'];

/// The text of the file, and what has to be said of it: which variables differ from function to function.
///
/// # Errors
/// A value that the file's form can't hold: one with all three quotation marks, or with a backslash before an `n`, which its
/// reader (the crate env-file-reader, in cargo-lambda 1.9) takes for the end of a line.
pub fn written(
    functions: &[(&str, &BTreeMap<String, String>)],
) -> Result<(String, Vec<String>), BadInput> {
    // Variable, value, and who has it.
    let mut variables: BTreeMap<&str, Vec<(&str, Vec<&str>)>> = BTreeMap::new();
    for (function, environment) in functions {
        for (name, value) in *environment {
            let values = variables.entry(name).or_default();
            match values.iter_mut().find(|(known, _)| known == value) {
                Some((_, users)) => users.push(function),
                None => values.push((value, vec![function])),
            }
        }
    }
    let mut text = String::new();
    let mut warnings = Vec::new();
    for (name, values) in &variables {
        let Some(((value, users), others)) = values.split_first() else {
            continue;
        };
        if !others.is_empty() {
            let others: Vec<_> = others
                .iter()
                .flat_map(|(_, users)| users)
                .copied()
                .collect();
            warnings.push(format!(
                "{name} is not the same for all functions: the file has that of {}, not that of {}",
                users.join(", "),
                others.join(", ")
            ));
        }
        text.push_str(&format!("{name}={}\n", quoted(name, value)?));
    }
    Ok((text, warnings))
}

fn quoted(name: &str, value: &str) -> Result<String, BadInput> {
    let mark = QUOTES.into_iter().find(|&mark| !value.contains(mark));
    match mark {
        Some(mark) if !value.contains("\\n") => Ok(format!("{mark}{value}{mark}")),
        _ => Err(BadInput(format!(
            "the value of {name} can't be written to an env file: it has all of \', ` and \", or \\n"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        owned.collect()
    }

    #[test]
    fn values_come_back_as_they_were() {
        let variables = environment(&[
            ("EMPTY", ""),
            ("KEY", "-----BEGIN KEY-----\nAAAA=\n-----END KEY-----\n"),
            ("COMMENTED", "a # b"),
            ("QUOTED", "\"q\" and \'s\'"),
            ("HOME", "$HOME/${X} \\ "),
            ("TICKED", "`date` and \"q\""),
        ]);
        let (text, warnings) = written(&[("one", &variables)]).unwrap();
        assert!(warnings.is_empty());
        let read = env_file_reader::read_str(&text).unwrap();
        assert_eq!(read.into_iter().collect::<BTreeMap<_, _>>(), variables);
    }

    #[test]
    fn what_differs_from_function_to_function_is_told() {
        let direct = environment(&[("DATABASE_HOST", "a:1"), ("TABLE", "t")]);
        let proxy = environment(&[("DATABASE_HOST", "b:2")]);
        let functions = [("direct", &direct), ("pooled", &direct), ("proxy", &proxy)];
        let (text, warnings) = written(&functions).unwrap();
        assert_eq!(text, "DATABASE_HOST=\'a:1\'\nTABLE=\'t\'\n");
        assert_eq!(
            warnings,
            [
                "DATABASE_HOST is not the same for all functions: the file has that of direct, pooled, not that of proxy"
            ]
        );
    }

    #[test]
    fn a_value_that_the_file_can_not_hold_is_named_and_not_shown() {
        for value in ["a\\nb", "all of \' ` \""] {
            let variables = environment(&[("SECRET", value)]);
            let error = written(&[("one", &variables)]).unwrap_err().to_string();
            assert!(
                error.contains("SECRET") && !error.contains(value),
                "{error}"
            );
        }
    }
}
