//! Enumerations that accounts hold as one byte.  A byte that is none of them is refused where it enters.

macro_rules! byte_enum {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $value:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($variant = $value),+
        }

        impl $name {
            /// The variant of that number, if there is one.
            pub const fn from_u8(byte: u8) -> Option<Self> {
                match byte {
                    $($value => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl PartialEq<$name> for u8 {
            fn eq(&self, other: &$name) -> bool {
                *self == *other as u8
            }
        }
    };
}

byte_enum! {
    /// A prosumer may sell; a consumer only buys.
    UserType { Prosumer = 0, Consumer = 1 }
}

byte_enum! {
    /// What somebody is at the university.
    Role { Student = 0, Faculty = 1, Department = 2 }
}

byte_enum! {
    /// A Suspended user keeps cancel and withdraw; a Revoked one as well, and the authority may close the seat.
    UserStatus { Active = 0, Suspended = 1, Revoked = 2 }
}

byte_enum! {
    /// Which registers move money: export needs generation, import needs consumption.
    MeterKind { Bidirectional = 0, GenerationOnly = 1, ConsumptionOnly = 2 }
}

byte_enum! {
    /// Decommissioned is terminal; Compromised is left only by a new device.
    MeterStatus { Provisioned = 0, Active = 1, Maintenance = 2, Decommissioned = 3, Compromised = 4 }
}

byte_enum! {
    /// Where a meter's key lies: on the card, wrapped by a secret of this board, in a chip that does not give it out.
    KeyLevel { NotStated = 0, File = 1, Board = 2, Chip = 3 }
}
