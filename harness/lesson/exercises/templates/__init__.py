"""The files that students start from; nothing imports them."""
