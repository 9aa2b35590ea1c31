"""The market as Python sees it: addresses, accounts, instructions, amounts, creation, curves, pictures."""
