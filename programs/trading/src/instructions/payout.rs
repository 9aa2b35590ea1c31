use anchor_lang::{accounts::Slab, address_eq, prelude::*, verify_program_address};
use anchor_spl::TokenAccount;
use trading_interface::{Asset, Market, Seat, Seats};

use crate::{
    errors::TradingError,
    events::{PaidOut, PayoutSkipped},
    vault,
};

/// Associated Token Account program.
const ATA_PROGRAM: Address = anchor_lang::address!("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");

/// One seat to be paid out; its owner's canonical base and quote accounts are the two remaining accounts at its place.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct PayoutSeat {
    pub seat: u32,
    /// Bump of the owner's canonical base account.
    pub base_bump: u8,
    /// Bump of the owner's canonical quote account.
    pub quote_bump: u8,
}

/// Remaining accounts: for each seat the owner's canonical base account and quote account, both writable.
#[derive(Accounts)]
pub struct Payout {
    #[account(mut)]
    pub market: Account<Market>,
    #[account(mut, address = market.seats @ TradingError::WrongAccount)]
    pub seats: Slab<Seats, Seat>,
    #[account(mut, address = market.base_vault @ TradingError::WrongAccount)]
    pub base_vault: Account<TokenAccount>,
    #[account(mut, address = market.quote_vault @ TradingError::WrongAccount)]
    pub quote_vault: Account<TokenAccount>,
    pub token_program: Program<Token>,
}

impl Payout {
    pub fn run(&mut self, items: &[PayoutSeat], accounts: &[AccountView]) -> Result<()> {
        require!(accounts.len() == items.len().wrapping_mul(2), TradingError::WrongAccount);
        for (item, pair) in items.iter().zip(accounts.chunks_exact(2)) {
            let seat = self.seats.get(item.seat as usize).ok_or(TradingError::NotOwner)?;
            if !seat.is_taken() || seat.flags & Seat::HOLD != 0 {
                continue;
            }
            let base = self.pay(item.seat, Asset::Base, item.base_bump, pair[0])?;
            let quote = self.pay(item.seat, Asset::Quote, item.quote_bump, pair[1])?;
            if base != 0 || quote != 0 {
                let market = *self.market.address();
                emit!(PaidOut { market, seat: item.seat.into(), base: base.into(), quote: quote.into() });
            }
        }
        vault::check(&self.base_vault, self.market.liab_base)?;
        vault::check(&self.quote_vault, self.market.liab_quote)
    }

    /// Pays what is free of one token; 0 if nothing is, or if it cannot be paid.
    fn pay(&mut self, index: u32, asset: Asset, bump: u8, mut to: AccountView) -> Result<u64> {
        let seat = &mut self.seats[index as usize];
        let owner = seat.owner;
        let free = seat.free(asset);
        let amount = *free;
        if amount == 0 {
            return Ok(0);
        }
        let vault = match asset {
            Asset::Base => &mut self.base_vault,
            Asset::Quote => &mut self.quote_vault,
        };
        if vault.is_frozen() || !may_receive(to, &owner, vault.mint(), bump) {
            let market = *self.market.address();
            emit!(PayoutSkipped { market, seat: index.into(), side: asset as u8, amount: amount.into() });
            return Ok(0);
        }
        *free = 0;
        let liability = self.market.liability(asset);
        *liability = liability.checked_sub(amount).ok_or(TradingError::Overflow)?;
        vault::push(vault, CpiHandleMut::writable(&mut to), &self.market, amount);
        Ok(amount)
    }
}

/// Is `to` the canonical account of `owner` for `mint`, still the owner's, neither closed nor frozen?
fn may_receive(to: AccountView, owner: &Address, mint: &Address, bump: u8) -> bool {
    let program = <Token as Id>::id();
    let seeds: &[&[u8]] = &[owner.as_ref(), program.as_ref(), mint.as_ref(), &[bump]];
    to.is_writable()
        && verify_program_address(seeds, &ATA_PROGRAM, to.address()).is_ok()
        && Account::<TokenAccount>::load(to).is_ok_and(|account| {
            address_eq(account.owner(), owner) && address_eq(account.mint(), mint) && !account.is_frozen()
        })
}
