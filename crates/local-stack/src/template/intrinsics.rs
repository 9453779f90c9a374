//! The names of intrinsic functions.

/// The intrinsic functions that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Intrinsic {
    Ref,
    GetAtt,
    Sub,
    Join,
    If,
    Equals,
    And,
    Or,
    Not,
    Condition,
    Cidr,
    GetAzs,
    Select,
    Split,
    EachMemberEquals,
    Base64,
}

impl Intrinsic {
    const ALL: [Self; 16] = [
        Self::Ref,
        Self::GetAtt,
        Self::Sub,
        Self::Join,
        Self::If,
        Self::Equals,
        Self::And,
        Self::Or,
        Self::Not,
        Self::Condition,
        Self::Cidr,
        Self::GetAzs,
        Self::Select,
        Self::Split,
        Self::EachMemberEquals,
        Self::Base64,
    ];

    /// By its long name, such as `Fn::Sub`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ref => "Ref",
            Self::GetAtt => "Fn::GetAtt",
            Self::Sub => "Fn::Sub",
            Self::Join => "Fn::Join",
            Self::If => "Fn::If",
            Self::Equals => "Fn::Equals",
            Self::And => "Fn::And",
            Self::Or => "Fn::Or",
            Self::Not => "Fn::Not",
            Self::Condition => "Condition",
            Self::Cidr => "Fn::Cidr",
            Self::GetAzs => "Fn::GetAZs",
            Self::Select => "Fn::Select",
            Self::Split => "Fn::Split",
            Self::EachMemberEquals => "Fn::EachMemberEquals",
            Self::Base64 => "Fn::Base64",
        }
    }
}
