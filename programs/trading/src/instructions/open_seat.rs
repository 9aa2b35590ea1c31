use anchor_lang::{accounts::Slab, prelude::*};
use common::units::now;
use governance_interface::{pause, GovernanceConfig, GOVERNANCE};
use registry_interface::User;
use trading_interface::{Market, Seat, SeatIndex, Seats};

use crate::{errors::TradingError, events::SeatOpened};

#[derive(Accounts)]
pub struct OpenSeat {
    pub trader: Signer,
    /// Pays for the SeatIndex; may be the trader.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    #[account(address = GOVERNANCE, constraint = !governance.is_paused(pause::ORDER_ENTRY, now)? @ TradingError::Paused)]
    pub governance: Account<GovernanceConfig>,
    #[account(
        constraint = user.wallet == *trader.address() @ TradingError::NotOwner,
        constraint = user.is_active() @ TradingError::UserInactive,
    )]
    pub user: Account<User>,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    /// One wallet, one seat: `init` fails if it has one.
    #[account(init, payer = payer, seeds = [b"seat", market, trader], bump)]
    pub seat_index: Account<SeatIndex>,
    pub system_program: Program<System>,
}

impl OpenSeat {
    /// Returns the seat's index: that of a closed seat, if there is one.
    pub fn run(&mut self, bump: u8) -> Result<u32> {
        let wallet = *self.trader.address();
        let open = self.market.open_seats.get();
        let seat = Seat { owner: wallet, ..Seat::default() };
        let closed = match self.seats.len() as u32 {
            all if all > open => self.seats.iter().position(|seat| !seat.is_taken()),
            _ => None,
        };
        let index = match closed {
            Some(index) => {
                self.seats[index] = seat;
                index
            }
            None => {
                require!(!self.seats.is_full(), TradingError::SeatsFull);
                self.seats.try_push(seat)?;
                self.seats.len() - 1
            }
        } as u32;
        self.market.open_seats = open.checked_add(1).ok_or(TradingError::Overflow)?.into();
        self.seat_index.version = SeatIndex::VERSION;
        self.seat_index.bump = bump;
        self.seat_index.seat = index.into();
        emit!(SeatOpened { market: *self.market.address(), wallet, seat: index.into() });
        Ok(index)
    }
}
