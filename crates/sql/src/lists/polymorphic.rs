//! What `anyelement`, `anyarray`, `anycompatible` and their kin stand for in a call, as `parse_coerce.c` decides it.

use super::resolve::{SOME_ENUM, SOME_ENUM_ARRAY};
use super::{Lists, oid};

/// The types that the polymorphic arguments of one call are bound to; those that literals alone would decide are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Bound {
    /// Of `anyelement`, `anynonarray`, `anyenum`; the elements of `anyarray`, the bounds of `anyrange`.
    pub(super) element: Option<u32>,
    range: Option<u32>,
    multirange: Option<u32>,
    common: Option<u32>,
    common_range: Option<u32>,
}

/// Whether this is a polymorphic type.
pub(super) fn is(oid: u32) -> bool {
    matches!(
        oid,
        oid::ANYELEMENT
            | oid::ANYARRAY
            | oid::ANYNONARRAY
            | oid::ANYENUM
            | oid::ANYRANGE
            | oid::ANYMULTIRANGE
            | oid::ANYCOMPATIBLE
            | oid::ANYCOMPATIBLEARRAY
            | oid::ANYCOMPATIBLENONARRAY
            | oid::ANYCOMPATIBLERANGE
            | oid::ANYCOMPATIBLEMULTIRANGE
    )
}

/// What the declared types are bound to by the given ones; nothing where they do not go together.
pub(super) fn bind(lists: &Lists, declared: &[u32], given: &[u32]) -> Option<Bound> {
    let mut bound = Bound::default();
    let mut common = Vec::new();
    for (&declared, &given) in declared.iter().zip(given).filter(|&(_, &given)| given != oid::UNKNOWN) {
        match declared {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => agree(&mut bound.element, given)?,
            oid::ANYARRAY => agree(&mut bound.element, element_of(lists, given)?)?,
            oid::ANYRANGE => agree(&mut bound.range, range_of(lists, given, false)?)?,
            oid::ANYMULTIRANGE => agree(&mut bound.multirange, range_of(lists, given, true)?)?,
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => common.push(given),
            oid::ANYCOMPATIBLEARRAY => common.push(element_of(lists, given)?),
            oid::ANYCOMPATIBLERANGE => {
                agree(&mut bound.common_range, range_of(lists, given, false)?)?;
                common.push(lists.type_info(given)?.subtype?);
            }
            _ => {}
        }
    }
    if let Some(multirange) = bound.multirange {
        agree(&mut bound.range, lists.type_info(multirange)?.range?)?;
    }
    if let Some(range) = bound.range {
        agree(&mut bound.element, lists.type_info(range)?.subtype?)?;
        bound.multirange = lists.type_info(range)?.range;
    }
    let has = |oid| declared.contains(&oid);
    if has(oid::ANYNONARRAY) && bound.element.and_then(|oid| element_of(lists, oid)).is_some()
        || has(oid::ANYENUM) && bound.element != Some(SOME_ENUM)
    {
        return None;
    }
    bound.common = match common_type(lists, &common)? {
        None if has(oid::ANYCOMPATIBLE)
            || has(oid::ANYCOMPATIBLEARRAY)
            || has(oid::ANYCOMPATIBLENONARRAY) =>
        {
            Some(oid::TEXT)
        }
        common => common,
    };
    let alone =
        has(oid::ANYCOMPATIBLENONARRAY) && bound.common.and_then(|oid| element_of(lists, oid)).is_some();
    (!alone).then_some(bound)
}

impl Bound {
    /// The type that stands for a declared one.
    pub(super) fn wanted(&self, lists: &Lists, declared: u32) -> Option<u32> {
        match declared {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => self.element,
            oid::ANYARRAY => array_type(lists, self.element?),
            oid::ANYRANGE => self.range,
            oid::ANYMULTIRANGE => self.multirange,
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => self.common,
            oid::ANYCOMPATIBLEARRAY => array_type(lists, self.common?),
            oid::ANYCOMPATIBLERANGE => self.common_range,
            oid::ANYCOMPATIBLEMULTIRANGE => None,
            other => Some(other),
        }
    }
}

fn agree(bound: &mut Option<u32>, given: u32) -> Option<()> {
    (*bound.get_or_insert(given) == given).then_some(())
}

fn element_of(lists: &Lists, array: u32) -> Option<u32> {
    if array == SOME_ENUM_ARRAY { Some(SOME_ENUM) } else { lists.element(array) }
}

fn array_type(lists: &Lists, element: u32) -> Option<u32> {
    if element == SOME_ENUM { Some(SOME_ENUM_ARRAY) } else { lists.array_of(element) }
}

/// The type itself where it is a range, or a multirange.
fn range_of(lists: &Lists, oid: u32, multirange: bool) -> Option<u32> {
    let info = lists.type_info(oid)?;
    (info.subtype.is_some() && info.multirange == multirange).then_some(oid)
}

/// `select_common_type`: the outer `None` where there is none, the inner one where nothing is known.
#[expect(
    clippy::option_option,
    reason = "no type decides, or no type fits: the caller treats these differently"
)]
fn common_type(lists: &Lists, types: &[u32]) -> Option<Option<u32>> {
    let Some(&(mut common)) = types.first() else { return Some(None) };
    for &other in types {
        if other == common {
            continue;
        }
        let (info, other_info) = (lists.type_info(common)?, lists.type_info(other)?);
        if info.category != other_info.category {
            return None;
        }
        if !info.preferred && lists.implicit(common, other) && !lists.implicit(other, common) {
            common = other;
        }
    }
    types.iter().all(|&oid| lists.implicit(oid, common)).then_some(Some(common))
}
