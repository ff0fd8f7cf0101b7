//! Comparisons: operators, IN, BETWEEN, LIKE, ANY, of values and of rows.

#![expect(clippy::wildcard_enum_match_arm, reason = "an operator that is not named is refused")]

use access::{Refusal, RefusalKind};
use pg_raw_parse::{ConstValue, Node, nodes, raw};

use crate::analyze::{Analyzer, unsupported};
use crate::barrier;
use crate::catalogue::Mark;
use crate::lists::oid;
use crate::range::{Collation, Facts, Ty};

/// One side of a comparison.
enum Operand {
    One(Facts),
    Row(Vec<Facts>),
}

impl Operand {
    fn parts(&self) -> std::slice::Iter<'_, Facts> {
        match self {
            Self::One(facts) => std::slice::from_ref(facts).iter(),
            Self::Row(parts) => parts.iter(),
        }
    }
}

impl Analyzer<'_> {
    /// `a op b` and its kin.
    pub(crate) fn operation(&mut self, expression: &nodes::A_Expr) -> Result<Facts, Refusal> {
        use raw::A_Expr_Kind as Kind;
        let name = operator_name(expression.name(), expression.location)?;
        let (left, right) = (expression.lexpr(), expression.rexpr());
        match expression.kind {
            Kind::AEXPR_OP | Kind::AEXPR_DISTINCT | Kind::AEXPR_NOT_DISTINCT => {
                let facts = self.comparison(&name, left, right, expression.location)?;
                barrier::index_order(self, &name, &facts)?;
                Ok(facts)
            }
            Kind::AEXPR_NULLIF => {
                let first = self.expression(left)?;
                let second = self.expression(right)?;
                let equal = self.operator(&name, Some(&first), &second, expression.location)?;
                let ty = match first.ty {
                    Ty::Literal => Ty::Known(oid::TEXT),
                    Ty::Number(oid) => Ty::Known(oid),
                    ty => ty,
                };
                // An oid of the catalogue, or NULL.
                let catalogue = first.catalogue.filter(|mark| *mark == Mark::Key);
                Ok(Facts { ty, collation: first.collation, catalogue, ..equal })
            }
            Kind::AEXPR_IN => {
                let Node::NodeList(list) = right else {
                    return Err(unsupported("this IN", expression.location));
                };
                let subject = self.operand(left)?;
                let elements: Vec<Operand> =
                    list.iter().map(|element| self.operand(element)).collect::<Result<_, _>>()?;
                let mut facts = self.membership(&name, &subject, &elements, expression.location)?;
                facts.conditional();
                Ok(facts)
            }
            Kind::AEXPR_OP_ANY | Kind::AEXPR_OP_ALL => self.quantified(&name, expression),
            Kind::AEXPR_LIKE | Kind::AEXPR_ILIKE => {
                let subject = self.expression(left)?;
                let pattern = self.expression(right)?;
                self.pattern(&name, &subject, &pattern, right, expression.location)
            }
            Kind::AEXPR_SIMILAR => {
                let mut facts = self.all([left, right], Ty::Known(oid::BOOL))?;
                self.make_unsafe(&mut facts, "SIMILAR TO", expression.location);
                Ok(facts)
            }
            Kind::AEXPR_BETWEEN
            | Kind::AEXPR_NOT_BETWEEN
            | Kind::AEXPR_BETWEEN_SYM
            | Kind::AEXPR_NOT_BETWEEN_SYM => {
                let Node::NodeList(bounds) = right else {
                    return Err(unsupported("this BETWEEN", expression.location));
                };
                let subject = self.expression(left)?;
                let mut facts = Facts::of(Ty::Known(oid::BOOL));
                for bound in bounds {
                    let bound = self.expression(bound)?;
                    for name in [">=", "<="] {
                        facts.absorb(&self.operator(name, Some(&subject), &bound, expression.location)?);
                    }
                }
                Ok(facts)
            }
            _ => Err(unsupported("this operator", expression.location)),
        }
    }

    /// `x IN (a, b)`: the server may make one array of a common type, or compare one by one.
    fn membership(
        &mut self,
        name: &str,
        subject: &Operand,
        elements: &[Operand],
        location: i32,
    ) -> Result<Facts, Refusal> {
        let single = |operand: &'_ Operand| matches!(operand, Operand::One(_));
        if single(subject) && elements.iter().all(single) {
            let parts: Vec<&Facts> =
                std::iter::once(subject).chain(elements).flat_map(|operand| operand.parts()).collect();
            let mut common = self.unify(&parts, "IN over different types");
            if let (Operand::One(subject), Ty::Known(_)) = (subject, common.ty) {
                // Constants take the type of what they are compared with.
                let constants = elements
                    .iter()
                    .flat_map(Operand::parts)
                    .all(|part| !matches!(part.ty, Ty::Known(_) | Ty::Any));
                let other =
                    if constants { Facts { ty: Ty::Literal, ..common.clone() } } else { common.clone() };
                let compared = self.operator(name, Some(subject), &other, location)?;
                common.absorb(&compared);
            }
            return Ok(Facts { ty: Ty::Known(oid::BOOL), collation: Collation::Default, ..common });
        }
        let mut facts = Facts::of(Ty::Known(oid::BOOL));
        for element in elements {
            facts.absorb(&self.compared(name, subject, element, location)?);
        }
        Ok(facts)
    }

    /// `left op right`.
    fn comparison(
        &mut self,
        name: &str,
        left: Node<'_>,
        right: Node<'_>,
        location: i32,
    ) -> Result<Facts, Refusal> {
        if matches!(left, Node::None) {
            let right = self.expression(right)?;
            return self.operator(name, None, &right, location);
        }
        let left_operand = self.operand(left)?;
        let right_operand = self.operand(right)?;
        if let (true, Operand::One(subject), Operand::One(pattern)) =
            (matches!(name, "~~" | "!~~" | "~~*" | "!~~*"), &left_operand, &right_operand)
        {
            return self.pattern(name, subject, pattern, right, location);
        }
        self.compared(name, &left_operand, &right_operand, location)
    }

    /// One side of a comparison, read once.
    fn operand(&mut self, node: Node<'_>) -> Result<Operand, Refusal> {
        match node {
            Node::RowExpr(row) => Ok(Operand::Row(self.row_parts(row.args().iter())?)),
            _ => self.expression(node).map(Operand::One),
        }
    }

    /// Two operands; of two rows, element by element.
    fn compared(
        &mut self,
        name: &str,
        left: &Operand,
        right: &Operand,
        location: i32,
    ) -> Result<Facts, Refusal> {
        match (left, right) {
            (Operand::One(left), Operand::One(right)) => self.operator(name, Some(left), right, location),
            (Operand::Row(left), Operand::Row(right)) => {
                let mut facts = Facts::of(Ty::Known(oid::BOOL));
                if left.len() != right.len() {
                    left.iter().chain(right).for_each(|part| facts.absorb(part));
                    self.make_unsafe(&mut facts, "a comparison of rows", location);
                }
                for (left, right) in left.iter().zip(right) {
                    facts.absorb(&self.operator(name, Some(left), right, location)?);
                }
                facts.conditional();
                Ok(facts)
            }
            (one, other) => {
                let mut facts = Facts::of(Ty::Known(oid::BOOL));
                for part in one.parts().chain(other.parts()) {
                    facts.absorb(part);
                }
                self.make_unsafe(&mut facts, "a comparison of a row with a value", location);
                Ok(facts)
            }
        }
    }

    /// `left op ANY (array)`.
    fn quantified(&mut self, name: &str, expression: &nodes::A_Expr) -> Result<Facts, Refusal> {
        let left = self.expression(expression.lexpr())?;
        let array = self.expression(expression.rexpr())?;
        let element = match array.ty {
            Ty::Known(ty) => self.element(ty),
            Ty::Literal | Ty::Number(_) => Ty::Literal,
            Ty::Any => Ty::Any,
        };
        let element = Facts { ty: element, ..array };
        self.operator(name, Some(&left), &element, expression.location)
    }

    /// `subject LIKE pattern`: safe with a constant pattern that is well formed.
    fn pattern(
        &mut self,
        name: &str,
        subject: &Facts,
        pattern: &Facts,
        node: Node<'_>,
        location: i32,
    ) -> Result<Facts, Refusal> {
        // `'a%'::text` is the same as `'a%'`.
        let literal = match node {
            Node::TypeCast(cast) if matches!(pattern.ty, Ty::Known(oid::TEXT)) => cast.arg(),
            _ => node,
        };
        let constant = match literal {
            Node::A_Const(constant) => match constant.val() {
                Some(ConstValue::String(text)) => is_pattern(text.as_bytes()),
                None => constant.isnull,
                Some(_) => false,
            },
            // Looked at when it is bound.
            Node::ParamRef(parameter) => self.bound_pattern(parameter.number),
            _ => false,
        };
        self.matching(name, subject, pattern, constant, location)
    }

    fn bound_pattern(&mut self, number: i32) -> bool {
        let text = matches!(self.parameter(number), Ty::Literal | Ty::Known(oid::TEXT | oid::VARCHAR));
        let number = u16::try_from(number).ok().filter(|_| text);
        self.patterns.extend(number);
        number.is_some()
    }
}

/// The operator's name; `OPERATOR(pg_catalog.+)` is `+`.
pub(crate) fn operator_name(names: &pg_raw_parse::list::NodeList, location: i32) -> Result<String, Refusal> {
    let parts: Vec<&str> = names.iter().filter_map(Node::as_str).collect();
    match parts.as_slice() {
        [name] | ["pg_catalog", name] => Ok((*name).to_owned()),
        _ => {
            let message = format!("operator {} is not on the list", parts.join("."));
            Err(Refusal::new(RefusalKind::UnlistedCall, message).at(location))
        }
    }
}

/// Whether a pattern of LIKE cannot fail: no escape at its end, and not so many `%` that matching takes for ever. The
/// bytes are UTF-8; text and binary parameters have the same.
#[must_use]
pub fn is_pattern(pattern: &[u8]) -> bool {
    let trailing = pattern.iter().rev().take_while(|byte| **byte == b'\\').count();
    trailing % 2 == 0 && pattern.iter().filter(|byte| **byte == b'%').count() <= 1000
}
