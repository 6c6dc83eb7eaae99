"""finproxy: a TCP proxy that decides what becomes of every FIN and RST."""
