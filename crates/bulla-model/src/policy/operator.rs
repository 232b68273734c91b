/// A condition operator: `ForAllValues:StringLikeIfExists`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operator {
    pub(super) set: SetOperator,
    pub(super) base: Base,
    pub(super) negated: bool,
    pub(super) if_exists: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SetOperator {
    None,
    ForAllValues,
    ForAnyValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Order),
    Date(Order),
    Bool,
    Binary,
    IpAddress,
    Arn,
    Null,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Order {
    pub(super) fn holds<T: Ord>(self, value: &T, limit: &T) -> bool {
        match self {
            Self::Equals => value == limit,
            Self::LessThan => value < limit,
            Self::LessThanEquals => value <= limit,
            Self::GreaterThan => value > limit,
            Self::GreaterThanEquals => value >= limit,
        }
    }
}

impl Operator {
    /// Names of operators are case-sensitive, as AWS's are.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (set, name) = match name.split_once(':') {
            None => (SetOperator::None, name),
            Some(("ForAllValues", rest)) => (SetOperator::ForAllValues, rest),
            Some(("ForAnyValue", rest)) => (SetOperator::ForAnyValue, rest),
            Some(_) => return None,
        };
        let (name, if_exists) = match name.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (base, negated) = match name {
            "StringEquals" => (Base::StringEquals, false),
            "StringNotEquals" => (Base::StringEquals, true),
            "StringEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, false),
            "StringNotEqualsIgnoreCase" => (Base::StringEqualsIgnoreCase, true),
            "StringLike" => (Base::StringLike, false),
            "StringNotLike" => (Base::StringLike, true),
            "NumericEquals" => (Base::Numeric(Order::Equals), false),
            "NumericNotEquals" => (Base::Numeric(Order::Equals), true),
            "NumericLessThan" => (Base::Numeric(Order::LessThan), false),
            "NumericLessThanEquals" => (Base::Numeric(Order::LessThanEquals), false),
            "NumericGreaterThan" => (Base::Numeric(Order::GreaterThan), false),
            "NumericGreaterThanEquals" => (Base::Numeric(Order::GreaterThanEquals), false),
            "DateEquals" => (Base::Date(Order::Equals), false),
            "DateNotEquals" => (Base::Date(Order::Equals), true),
            "DateLessThan" => (Base::Date(Order::LessThan), false),
            "DateLessThanEquals" => (Base::Date(Order::LessThanEquals), false),
            "DateGreaterThan" => (Base::Date(Order::GreaterThan), false),
            "DateGreaterThanEquals" => (Base::Date(Order::GreaterThanEquals), false),
            "Bool" => (Base::Bool, false),
            "BinaryEquals" => (Base::Binary, false),
            "IpAddress" => (Base::IpAddress, false),
            "NotIpAddress" => (Base::IpAddress, true),
            "ArnEquals" | "ArnLike" => (Base::Arn, false),
            "ArnNotEquals" | "ArnNotLike" => (Base::Arn, true),
            "Null" if !if_exists && set == SetOperator::None => (Base::Null, false),
            _ => return None,
        };
        Some(Self {
            set,
            base,
            negated,
            if_exists,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let operator = Operator::parse("ForAnyValue:StringNotLikeIfExists").expect("an operator");
        assert_eq!(operator.set, SetOperator::ForAnyValue);
        assert_eq!(
            (operator.base, operator.negated, operator.if_exists),
            (Base::StringLike, true, true)
        );
        for wrong in [
            "",
            "stringEquals",
            "StringEqual",
            "NullIfExists",
            "ForAnyValue:Null",
            "forAllValues:StringEquals",
            "ForAllValues:",
            "ForAllValues:ForAnyValue:StringEquals",
            "StringEqualsIfExistsIfExists",
            "NotBool",
            "StringEquals ",
        ] {
            assert_eq!(Operator::parse(wrong), None, "{wrong}");
        }
    }
}
