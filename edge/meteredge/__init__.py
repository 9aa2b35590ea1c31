"""The agent at the meter: reads it, closes slots, signs, keeps, delivers."""
