//! What Trading refuses, numbered from 6000 in this order for ever.
use anchor_lang::prelude::*;

common::error_codes! {
    pub enum TradingError {
        #[msg("the signer may not do this")]
        Unauthorized,
        #[msg("this part of the market is paused")]
        Paused,
        #[msg("the market is halted: matching did not sum up; cancel and withdraw work, see void_epoch")]
        Halted,
        #[msg("the user is suspended or revoked")]
        UserInactive,
        #[msg("only a prosumer sells")]
        NotProsumer,
        #[msg("orders for this epoch are closed, or the market is switched off")]
        MarketClosed,
        #[msg("an epoch is still being settled: crank match_orders and settle_trade first, anyone can")]
        MarketBusy,
        #[msg("this is not the book that is meant: derive it from Market.book_epoch and book_state")]
        WrongBook,
        #[msg("the energy is not a whole number of lots below 2^32, or the lot size is out of bounds")]
        BadLot,
        #[msg("the price is not on the grid, or the grid is not exact")]
        BadTick,
        #[msg("fewer lots than MIN_LOTS")]
        BelowMin,
        #[msg("this seat has placed all the orders it may in this epoch")]
        TooManyOrders,
        #[msg("this seat is on the other side in this epoch")]
        OppositeSide,
        #[msg("the book has no slot left for this epoch")]
        BookFull,
        #[msg("a tick holds less than 2^32 lots")]
        LevelOverflow,
        #[msg("the token account and the seat together do not hold enough")]
        InsufficientFunds,
        #[msg("there is no open order of this id in this slot")]
        OrderNotFound,
        #[msg("the seat, the user or the token account is somebody else's")]
        NotOwner,
        #[msg("too late to cancel; possible again 900 s after the epoch's end if nobody has cleared it")]
        CancelFrozen,
        #[msg("the book is not in the state that this needs")]
        WrongPhase,
        #[msg("the epoch is not over yet")]
        EpochNotOver,
        #[msg("the seat holds money or open orders, or its trader ordered in this epoch")]
        SeatInUse,
        #[msg("there is no seat left")]
        SeatsFull,
        #[msg("an account's size does not fit its capacity, or a book has fewer slots than there are seats")]
        BadCapacity,
        #[msg("a vault holds less than it owes")]
        VaultShortfall,
        #[msg("the quote mint can be frozen; initialise with accept_freezable = 1 if that is accepted")]
        FreezableMint,
        #[msg("the mint is not one that this market can use")]
        BadMint,
        #[msg("a number is too large")]
        Overflow,
        #[msg("the account is not the one that the market names")]
        WrongAccount,
    }
}
