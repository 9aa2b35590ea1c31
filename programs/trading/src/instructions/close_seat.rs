use anchor_lang::{accounts::Slab, prelude::*};
use common::units::{self, epoch_of};
use governance_interface::{GovernanceConfig, GOVERNANCE};
use registry_interface::{User, UserStatus};
use trading_interface::{Market, Seat, SeatIndex, Seats};

use crate::{errors::TradingError, events::SeatClosed};

#[derive(Accounts)]
pub struct CloseSeat {
    /// The trader; or, once the user is Revoked, the engineering authority.
    #[account(
        constraint = authority.address() == &user.wallet
            || (governance.is_authority(authority.address()) && user.status == UserStatus::Revoked) @ TradingError::Unauthorized,
    )]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    pub user: Account<User>,
    /// The user's wallet: gets the SeatIndex's rent.
    #[account(mut, unsafe(dup), address = user.wallet @ TradingError::NotOwner)]
    pub wallet: UncheckedAccount,
    #[account(mut)]
    pub market: Account<Market>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    #[account(mut, close = wallet, seeds = [b"seat", market, wallet], bump = seat_index.bump)]
    pub seat_index: Account<SeatIndex>,
}

impl CloseSeat {
    pub fn run(&mut self) -> Result<()> {
        let index = self.seat_index.seat;
        let seat = self.seats.get_mut(index.get() as usize).ok_or(TradingError::NotOwner)?;
        require!(seat.owner == self.user.wallet, TradingError::NotOwner);
        // a new seat counts its orders from zero: who ordered in this epoch keeps the count until the epoch is over
        let ordered_now = seat.order_epoch == epoch_of(units::now()?);
        require!(seat.is_clear() && !ordered_now, TradingError::SeatInUse);
        *seat = Seat::default();
        let open = self.market.open_seats.get();
        self.market.open_seats = open.checked_sub(1).ok_or(TradingError::Overflow)?.into();
        emit!(SeatClosed {
            market: *self.market.address(),
            wallet: self.user.wallet,
            seat: index,
            by: *self.authority.address(),
        });
        Ok(())
    }
}
