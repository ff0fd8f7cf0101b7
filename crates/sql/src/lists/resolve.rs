//! Which overload a call means, by the rules of Postgres's `parse_func.c` and `parse_oper.c`, and the verdict on it.
//!
//! Where every type is known (an untyped constant counts: the server's rules say what it becomes) the choice is the
//! server's own. Where one is not, every overload that could be meant has a say, and the worst verdict counts.

use super::polymorphic::{self, Bound};
use super::{Lists, Overload, STRING, Safety, oid};

/// What is known of an argument. A domain is given as its base type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arg {
    /// Of this type. A type that is not built in, other than an enum, makes the verdict unsafe.
    Known(u32),
    /// Of this enum.
    Enum(u32),
    /// An array of some enum; the oid is the array's.
    EnumArray(u32),
    /// A constant or a parameter without a type: it becomes what the call makes of it, before any row is read.
    Literal,
    /// A constant number of this type: where it is cast, that is done before any row is read.
    Number(u32),
    /// Of a type that is not known.
    Any,
}

/// The verdict on a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolved {
    /// The type of the result, where it is known.
    pub(crate) result: Option<u32>,
    /// Whether the call, with the casts that its arguments need, can fail or tell.
    pub(crate) safe: Safety,
    /// Whether the call may be made.
    pub(crate) listed: bool,
    /// The overload that is meant, where one alone can be.
    pub(crate) overload: Option<&'static Overload>,
}

impl Lists {
    /// The verdict on a function call with positional arguments; nothing where no overload takes them.
    pub(crate) fn resolve_function(&'static self, name: &str, args: &[Arg]) -> Option<Resolved> {
        let candidates = arity(self.functions(name), args.len());
        let Some(given) = known(args) else { return worst(self, candidates, args) };
        if let Some(exact) = exact(&candidates, &given) {
            return Some(verdict(self, exact, &given, args));
        }
        call_as_cast(self, name, &given).or_else(|| choose(self, candidates, &given, args))
    }

    /// The verdict on an operator; a prefix operator has no left operand.
    pub(crate) fn resolve_operator(
        &'static self,
        name: &str,
        left: Option<Arg>,
        right: Arg,
    ) -> Option<Resolved> {
        let args: Vec<Arg> = left.into_iter().chain([right]).collect();
        let candidates = arity(self.operators(name), args.len());
        let Some(given) = known(&args) else { return worst(self, candidates, &args) };
        // A literal beside a known type is tried as that type first.
        let assumed = match *given {
            [oid::UNKNOWN, known] | [known, oid::UNKNOWN] => vec![known, known],
            _ => given.clone(),
        };
        if let Some(exact) = exact(&candidates, &assumed) {
            return Some(verdict(self, exact, &given, &args));
        }
        choose(self, candidates, &given, &args)
    }

    /// Whether Postgres makes this cast without being asked.
    pub(super) fn implicit(&self, from: u32, to: u32) -> bool {
        from == to || self.cast(from, to).is_some_and(|cast| cast.implicit)
    }
}

/// Stands for whatever enum is meant, and for its array: nothing built in has these oids.
pub(super) const SOME_ENUM: u32 = u32::MAX;
pub(super) const SOME_ENUM_ARRAY: u32 = u32::MAX - 1;

/// The first oid that the catalogue does not give to its own types.
const FIRST_USER_OID: u32 = 16384;

/// An overload with its arguments written out to the length of the call.
#[derive(Clone)]
struct Candidate {
    overload: &'static Overload,
    args: Vec<u32>,
}

/// The types of a call whose types are all known, `unknown` for literals.
fn known(args: &[Arg]) -> Option<Vec<u32>> {
    args.iter()
        .map(|arg| match *arg {
            Arg::Known(oid) if oid < FIRST_USER_OID => Some(oid),
            Arg::Number(oid) => Some(oid),
            Arg::Enum(_) => Some(SOME_ENUM),
            Arg::EnumArray(_) => Some(SOME_ENUM_ARRAY),
            Arg::Literal => Some(oid::UNKNOWN),
            Arg::Known(_) | Arg::Any => None,
        })
        .collect()
}

/// The overloads that can take so many arguments.
fn arity(overloads: &'static [Overload], count: usize) -> Vec<Candidate> {
    let taken = overloads.iter().filter_map(|overload| {
        let declared = overload.args.len();
        let args = match overload.variadic {
            _ if declared == count => overload.args.to_vec(),
            _ if declared > count && declared - usize::from(overload.defaults) <= count => {
                overload.args.iter().copied().take(count).collect()
            }
            Some(each) if declared <= count => {
                let fixed = overload.args.iter().copied().take(declared - 1);
                fixed.chain(std::iter::repeat(each)).take(count).collect()
            }
            _ => return None,
        };
        Some((overload, args))
    });
    let mut candidates: Vec<Candidate> = taken.map(|(overload, args)| Candidate { overload, args }).collect();
    // A call with as many arguments as a variadic function declares gives it one element, not the array.
    for candidate in &mut candidates {
        if let (Some(each), true) = (candidate.overload.variadic, candidate.overload.args.len() == count)
            && let Some(last) = candidate.args.last_mut()
        {
            *last = each;
        }
    }
    // Where a variadic function and another would take the same types, the server means the other.
    let plain: Vec<Vec<u32>> =
        candidates.iter().filter(|c| c.overload.variadic.is_none()).map(|c| c.args.clone()).collect();
    candidates.retain(|candidate| candidate.overload.variadic.is_none() || !plain.contains(&candidate.args));
    candidates
}

fn exact<'a>(candidates: &'a [Candidate], given: &[u32]) -> Option<&'a Candidate> {
    candidates.iter().find(|candidate| candidate.args == given)
}

/// A function of one argument that has the name of a type is a cast, unless an overload fits exactly.
fn call_as_cast(lists: &'static Lists, name: &str, given: &[u32]) -> Option<Resolved> {
    let (target, &[source]) = (lists.builtin_type(name)?, given) else { return None };
    let catalogue = lists.names_an_object(target) || lists.names_an_object(source);
    if source == oid::UNKNOWN {
        return Some(Resolved {
            result: Some(target),
            safe: Safety::Safe,
            listed: !catalogue,
            overload: None,
        });
    }
    let cast = lists.cast(if source == SOME_ENUM { oid::ANYENUM } else { source }, target)?;
    if !cast.binary && !cast.through_text {
        return None;
    }
    let safe = if cast.safe { Safety::Safe } else { Safety::Unsafe };
    Some(Resolved { result: Some(target), safe, listed: !catalogue, overload: None })
}

/// `func_match_argtypes` and `func_select_candidate`.
fn choose(
    lists: &'static Lists,
    mut candidates: Vec<Candidate>,
    given: &[u32],
    args: &[Arg],
) -> Option<Resolved> {
    candidates.retain(|candidate| accepts(lists, &candidate.args, given));
    let possible = candidates.clone();
    match select(lists, candidates, given) {
        Some(candidate) => Some(verdict(lists, &candidate, given, args)),
        // The server would call it ambiguous.
        None => worst(lists, possible, args),
    }
}

/// Whether arguments of these types can be given where those are declared.
fn accepts(lists: &'static Lists, declared: &[u32], given: &[u32]) -> bool {
    let each = declared.iter().zip(given).all(|(&declared, &given)| {
        given == oid::UNKNOWN
            || polymorphic::is(declared)
            || declared == oid::ANY
            || lists.implicit(given, declared)
    });
    each && polymorphic::bind(lists, declared, given).is_some()
}

fn select(lists: &'static Lists, mut candidates: Vec<Candidate>, given: &[u32]) -> Option<Candidate> {
    if candidates.len() <= 1 {
        return candidates.pop();
    }
    keep_best(&mut candidates, |args| count(args, given, |declared, given| declared == given));
    if candidates.len() == 1 {
        return candidates.pop();
    }
    keep_best(&mut candidates, |args| {
        count(args, given, |declared, given| {
            declared == given
                || preferred(lists, declared) && category(lists, declared) == category(lists, given)
        })
    });
    if candidates.len() == 1 {
        return candidates.pop();
    }
    if !given.contains(&oid::UNKNOWN) {
        return None;
    }
    keep_by_category(lists, &mut candidates, given);
    if candidates.len() == 1 {
        return candidates.pop();
    }
    assume_alike(lists, candidates, given)
}

/// How many arguments of known type fit by `fit(declared, given)`.
fn count(declared: &[u32], given: &[u32], fit: impl Fn(u32, u32) -> bool) -> usize {
    let pairs = declared.iter().zip(given);
    pairs.filter(|&(&declared, &given)| given != oid::UNKNOWN && fit(declared, given)).count()
}

fn keep_best(candidates: &mut Vec<Candidate>, score: impl Fn(&[u32]) -> usize) {
    let best = candidates.iter().map(|candidate| score(&candidate.args)).max();
    candidates.retain(|candidate| Some(score(&candidate.args)) == best);
}

/// Each literal is of one category, strings before others; the candidates of that category stay, and of these the ones
/// with the category's preferred type. Where the candidates disagree, all stay.
fn keep_by_category(lists: &'static Lists, candidates: &mut Vec<Candidate>, given: &[u32]) {
    let literals: Vec<usize> = given
        .iter()
        .enumerate()
        .filter(|&(_, &given)| given == oid::UNKNOWN)
        .map(|(place, _)| place)
        .collect();
    let mut wanted = Vec::new();
    for &place in &literals {
        let declared = candidates.iter().filter_map(|candidate| candidate.args.get(place).copied());
        let categories: Vec<char> = declared.clone().map(|oid| category(lists, oid)).collect();
        let Some(&first) = categories.first() else { return };
        let category_of_place = match categories.iter().all(|&category| category == first) {
            true => first,
            false if categories.contains(&STRING) => STRING,
            false => return,
        };
        let has_preferred =
            declared.clone().any(|oid| category(lists, oid) == category_of_place && preferred(lists, oid));
        wanted.push((place, category_of_place, has_preferred));
    }
    let fits = |candidate: &Candidate| {
        wanted.iter().all(|&(place, wanted, has_preferred)| {
            let declared = candidate.args.get(place).copied().unwrap_or_default();
            category(lists, declared) == wanted && (!has_preferred || preferred(lists, declared))
        })
    };
    if candidates.iter().any(fits) {
        candidates.retain(fits);
    }
}

/// The last resort: where all known arguments are of one type, the literals are of that type too.
fn assume_alike(lists: &'static Lists, candidates: Vec<Candidate>, given: &[u32]) -> Option<Candidate> {
    let mut known = given.iter().copied().filter(|&given| given != oid::UNKNOWN);
    let first = known.next()?;
    if known.any(|other| other != first) {
        return None;
    }
    let alike = vec![first; given.len()];
    let mut fitting = candidates.into_iter().filter(|candidate| accepts(lists, &candidate.args, &alike));
    let only = fitting.next()?;
    fitting.next().is_none().then_some(only)
}

fn category(lists: &'static Lists, oid: u32) -> char {
    match oid {
        SOME_ENUM => 'E',
        SOME_ENUM_ARRAY => 'A',
        _ => lists.type_info(oid).map_or('U', |info| info.category),
    }
}

fn preferred(lists: &'static Lists, oid: u32) -> bool {
    lists.type_info(oid).is_some_and(|info| info.preferred)
}

/// The verdict on the overload that is meant, with the casts of its arguments.
fn verdict(lists: &'static Lists, candidate: &Candidate, given: &[u32], args: &[Arg]) -> Resolved {
    let overload = candidate.overload;
    let bound = polymorphic::bind(lists, &candidate.args, given).unwrap_or_default();
    let casts_are_safe = candidate.args.iter().zip(given).zip(args).all(|((&declared, &given), arg)| {
        let wanted = bound.wanted(lists, declared);
        given == oid::UNKNOWN
            || matches!(arg, Arg::Number(_))
            || declared == oid::ANY
            || wanted == Some(given)
            || wanted.and_then(|to| lists.cast(given, to)).is_some_and(|c| c.safe)
    });
    let compares_safely =
        overload.safe_if_ordered && bound.element.is_some_and(|element| compares(lists, element));
    let safe = if !casts_are_safe {
        Safety::Unsafe
    } else if compares_safely {
        Safety::Safe
    } else {
        overload.safe
    };
    Resolved {
        result: result(lists, overload.result, &bound, args),
        safe,
        listed: overload.listed,
        overload: Some(overload),
    }
}

fn compares(lists: &'static Lists, element: u32) -> bool {
    element == SOME_ENUM || lists.ordered(element)
}

/// The verdict where the overload is not known: the worst of all that could be meant.
fn worst(lists: &'static Lists, mut candidates: Vec<Candidate>, args: &[Arg]) -> Option<Resolved> {
    candidates.retain(|candidate| {
        candidate.args.iter().zip(args).all(|(&declared, arg)| match *arg {
            Arg::Known(given) | Arg::Number(given) if given < FIRST_USER_OID => {
                polymorphic::is(declared) || declared == oid::ANY || lists.implicit(given, declared)
            }
            Arg::Known(_) | Arg::Number(_) | Arg::Enum(_) | Arg::EnumArray(_) | Arg::Literal | Arg::Any => {
                true
            }
        })
    });
    let first = candidates.first()?;
    let result = first.overload.result;
    let agreed =
        candidates.iter().all(|candidate| candidate.overload.result == result) && !polymorphic::is(result);
    let safe = candidates.iter().map(|candidate| worst_of(lists, candidate, args)).max()?;
    Some(Resolved {
        result: agreed.then_some(result),
        safe,
        listed: candidates.iter().all(|candidate| candidate.overload.listed),
        overload: None,
    })
}

fn worst_of(lists: &'static Lists, candidate: &Candidate, args: &[Arg]) -> Safety {
    let casts_are_safe = candidate.args.iter().zip(args).all(|(&declared, arg)| match *arg {
        Arg::Literal | Arg::Number(_) => true,
        _ if declared == oid::ANY || polymorphic::is(declared) => true,
        Arg::Known(given) if given < FIRST_USER_OID => {
            lists.cast(given, declared).is_some_and(|cast| cast.safe)
        }
        // Whatever casts a type that is not built in has, nobody has read them.
        Arg::Known(_) | Arg::Enum(_) | Arg::EnumArray(_) | Arg::Any => false,
    });
    if casts_are_safe { candidate.overload.safe } else { Safety::Unsafe }
}

/// The type of the result, with the enum that the caller named in place of the one that stands for it.
fn result(lists: &Lists, declared: u32, bound: &Bound, args: &[Arg]) -> Option<u32> {
    let find = |is: fn(&Arg) -> Option<u32>| args.iter().find_map(is);
    match bound.wanted(lists, declared)? {
        SOME_ENUM => find(|arg| if let Arg::Enum(oid) = *arg { Some(oid) } else { None }),
        SOME_ENUM_ARRAY => find(|arg| if let Arg::EnumArray(oid) = *arg { Some(oid) } else { None }),
        result => Some(result),
    }
}
