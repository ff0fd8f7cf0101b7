//! Every command line of veilgate that a page, a help or a script shows is one that the executable reads.

use std::fs;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use super::Cli;

/// The commands of veilgate in a text, as words.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let parts = joined.lines().flat_map(|line| split(line.trim()));
    parts.filter(|words| words.first().is_some_and(|word| word == "veilgate")).collect()
}

/// A line of a shell to its commands, each as words. Knows quotes, pipes, redirections, comments; a wide gap begins prose.
fn split(line: &str) -> Vec<Vec<String>> {
    let (mut commands, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let (mut quote, mut letters) = (None, line.chars().peekable());
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, '|' | '&' | ';') => {
                words.extend(word.take());
                commands.push(std::mem::take(&mut words));
            }
            (None, '>' | '<' | '#') => break,
            (None, ' ') if letters.peek() == Some(&' ') && word.is_some() => break,
            (None, ' ') => {
                words.extend(word.take());
                // A variable before a command is none of its words.
                if words.len() == 1 && words.iter().all(|word: &String| word.contains('=')) {
                    words.clear();
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    commands.push(words);
    commands
}

/// Where it is only talked of, what it needs may be left out.
fn check(place: &str, text: &str, is_whole: bool) -> usize {
    let commands = commands(text);
    for words in &commands {
        if let Err(error) = Cli::try_parse_from(words) {
            let lacks = matches!(
                error.kind(),
                ErrorKind::MissingRequiredArgument
                    | ErrorKind::MissingSubcommand
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
            );
            assert!(!error.use_stderr() || (lacks && !is_whole), "{place}: {words:?}\n{error}");
        }
    }
    commands.len()
}

#[test]
fn examples_of_pages_are_read() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut seen = 0;
    let pages = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    for page in pages.chain([root.join("README.md")]).filter(|path| path.is_file()) {
        let text = fs::read_to_string(&page).unwrap();
        let blocks = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        seen += blocks.map(|block| check(&page.display().to_string(), block, true)).sum::<usize>();
        // In running text, a command is one where it has arguments.
        let inline =
            text.split('`').filter(|part| part.starts_with("veilgate ") && !part.contains(['\n', '…']));
        seen += inline.map(|part| check(&page.display().to_string(), part, false)).sum::<usize>();
    }
    assert!(seen > 30, "{seen} commands");
}

#[test]
fn examples_of_helps_are_read() {
    fn walk(command: &clap::Command) -> usize {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let seen = check(command.get_name(), &text, false);
        assert!(seen > 0, "{} shows no command", command.get_name());
        seen + command.get_subcommands().map(walk).sum::<usize>()
    }
    assert!(walk(&Cli::command()) > 30);
}
