//! `create_associated_token_account`: gives a user the one GRID account that minting pays into.

use anchor_lang::{
    address_eq, pinocchio::instruction::InstructionAccount, prelude::*, programs::AssociatedToken,
    unchecked_invoke_signed_fixed,
};
use energy_token_interface::GRID_MINT;
use registry_interface::User;

use crate::errors::TokenError;

const CREATE_IDEMPOTENT: u8 = 1;

#[derive(Accounts)]
pub struct CreateAssociatedTokenAccount {
    /// Anyone; pays.
    #[account(mut, unsafe(dup))]
    pub payer: Signer,
    /// Whose account it is; its key is checked against `user`.
    pub wallet: UncheckedAccount,
    /// The wallet's User, Active.
    #[account(
        constraint = address_eq(&user.wallet, wallet.address()) @ TokenError::Unauthorized,
        constraint = user.is_active() @ TokenError::UserInactive
    )]
    pub user: Account<User>,
    #[account(address = GRID_MINT @ TokenError::WrongMint)]
    pub mint: UncheckedAccount,
    /// Its address is checked by the Associated Token Account program.
    #[account(mut)]
    pub token_account: UncheckedAccount,
    pub associated_token_program: Program<AssociatedToken>,
    pub token_program: Program<Token>,
    pub system_program: Program<System>,
}

impl CreateAssociatedTokenAccount {
    pub fn run(&mut self) -> Result<()> {
        let metas = [
            InstructionAccount::writable_signer(self.payer.account().address()),
            InstructionAccount::writable(self.token_account.address()),
            InstructionAccount::readonly(self.wallet.address()),
            InstructionAccount::readonly(self.mint.address()),
            InstructionAccount::readonly(self.system_program.address()),
            InstructionAccount::readonly(self.token_program.address()),
        ];
        let handles = [
            self.payer.cpi_handle(),
            self.token_account.cpi_handle(),
            self.wallet.cpi_handle(),
            self.mint.cpi_handle(),
            self.system_program.cpi_handle(),
            self.token_program.cpi_handle(),
        ];
        unchecked_invoke_signed_fixed(
            self.associated_token_program.address(),
            &[CREATE_IDEMPOTENT],
            &metas,
            &handles,
            &[],
        );
        Ok(())
    }
}
