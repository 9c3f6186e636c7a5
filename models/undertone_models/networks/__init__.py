"""Networks: one teaching file each."""
