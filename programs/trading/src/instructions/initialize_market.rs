use anchor_lang::{accounts::Slab, prelude::*};
use anchor_spl::{prelude::*, Mint, TokenAccount};
use energy_token_interface::GRID_MINT;
use governance_interface::{GovernanceConfig, ParamId, GOVERNANCE};
use trading_interface::{Book, History, HistoryEntry, Market, Order, Seat, Seats};

use crate::{errors::TradingError, events::MarketInitialized, grid::Grid};

/// What a market is made with.
#[derive(Clone, Copy, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct MarketParams {
    /// Base atoms in a lot; 1,000,000 is 1 Wh.
    pub lot_size: u64,
    /// Price of tick 0, quote atoms per kWh.
    pub price_floor: u64,
    /// Price between ticks, quote atoms per kWh.
    pub tick_size: u64,
    /// Orders that a book holds.
    pub n_slots: u32,
    /// Seats; at most `n_slots`.
    pub n_seats: u32,
    /// 1: the quote mint may have a freeze authority, which could freeze the vault and everything in it.
    pub accept_freezable: u8,
}

#[derive(Accounts)]
pub struct InitializeMarket {
    /// The engineering authority; pays.
    #[account(mut, constraint = governance.is_authority(authority.address()) @ TradingError::Unauthorized)]
    pub authority: Signer,
    #[account(address = GOVERNANCE)]
    pub governance: Account<GovernanceConfig>,
    #[account(address = GRID_MINT @ TradingError::BadMint)]
    pub base_mint: Account<Mint>,
    /// Any mint of the classic SPL Token program but GRID's.
    #[account(constraint = quote_mint.address() != base_mint.address() @ TradingError::BadMint)]
    pub quote_mint: Account<Mint>,
    #[account(init, payer = authority, seeds = [b"market", quote_mint], bump)]
    pub market: Account<Market>,
    #[account(
        init, payer = authority, token::mint = base_mint, token::authority = market,
        seeds = [b"vault", market, &[0u8]], bump,
    )]
    pub base_vault: Account<TokenAccount>,
    #[account(
        init, payer = authority, token::mint = quote_mint, token::authority = market,
        seeds = [b"vault", market, &[1u8]], bump,
    )]
    pub quote_vault: Account<TokenAccount>,
    /// Where `sweep_fees` pays.
    #[account(constraint = fee_destination.mint() == quote_mint.address() @ TradingError::BadMint)]
    pub fee_destination: Account<TokenAccount>,
    /// Created by the client for this program, of exactly the size for `n_slots` orders.  The runtime lets only zeroed memory come
    /// to a new owner, so the eight zeros that `zeroed` sees stand for all.
    #[account(zeroed)]
    pub book_0: Slab<Book, Order>,
    #[account(zeroed)]
    pub book_1: Slab<Book, Order>,
    #[account(zeroed)]
    pub seats: Slab<Seats, Seat>,
    /// As long as the department wants to remember; 2,976 entries are 31 days.
    #[account(zeroed)]
    pub history: Slab<History, HistoryEntry>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

impl InitializeMarket {
    pub fn run(&mut self, bump: u8, params: &MarketParams) -> Result<()> {
        let grid = Grid::new(params.lot_size, params.price_floor, params.tick_size)?;
        require!(params.accept_freezable <= 1, TradingError::FreezableMint);
        let freezable = self.quote_mint.has_freeze_authority();
        require!(!freezable || params.accept_freezable == 1, TradingError::FreezableMint);
        self.check_sizes(params)?;

        let address = *self.market.address();
        for (i, book) in [&mut self.book_0, &mut self.book_1].into_iter().enumerate() {
            book.version = Book::VERSION;
            book.index = i as u8;
            book.market = address;
        }
        self.seats.version = Seats::VERSION;
        self.seats.market = address;
        self.history.version = History::VERSION;
        self.history.market = address;

        let market = &mut self.market;
        market.version = Market::VERSION;
        market.bump = bump;
        market.clearing_enabled = 1;
        market.settling_book = Market::NO_BOOK;
        market.accept_freezable = params.accept_freezable;
        market.engineering_authority = *self.authority.address();
        market.registry_program = registry_interface::ID;
        market.token_program = energy_token_interface::ID;
        market.base_mint = *self.base_mint.address();
        market.quote_mint = *self.quote_mint.address();
        market.base_vault = *self.base_vault.address();
        market.quote_vault = *self.quote_vault.address();
        market.fee_destination = *self.fee_destination.address();
        market.books = [*self.book_0.address(), *self.book_1.address()];
        market.seats = *self.seats.address();
        market.history = *self.history.address();
        grid.write(market);
        market.n_slots = params.n_slots.into();
        market.n_seats = params.n_seats.into();
        market.market_epoch_length = self.governance.param(ParamId::EpochSecs).into();
        market.next_order_id = 1.into();
        emit!(MarketInitialized {
            market: address,
            base_mint: market.base_mint,
            quote_mint: market.quote_mint,
            lot_size: market.lot_size,
            price_floor: market.price_floor,
            tick_size: market.tick_size,
            n_slots: market.n_slots,
            n_seats: market.n_seats,
            accept_freezable: market.accept_freezable,
        });
        Ok(())
    }

    fn check_sizes(&self, params: &MarketParams) -> Result<()> {
        let book = Slab::<Book, Order>::try_space_for(params.n_slots)?;
        let seats = Slab::<Seats, Seat>::try_space_for(params.n_seats)?;
        let entries = self.history.capacity() as u32;
        let history = Slab::<History, HistoryEntry>::try_space_for(entries)?;
        let fits = params.n_seats > 0
            && params.n_slots >= params.n_seats
            && self.book_0.current_space() == book
            && self.book_1.current_space() == book
            && self.seats.current_space() == seats
            && entries > 0
            && self.history.current_space() == history;
        require!(fits, TradingError::BadCapacity);
        Ok(())
    }
}
