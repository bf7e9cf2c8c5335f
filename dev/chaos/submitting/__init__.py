"""Tasks that submit batches, killed, stopped and ended at any point, at vendors that count what they have done."""
