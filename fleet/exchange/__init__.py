"""The control side of the exchange (docs/exchange.md): frames, the opening as a state machine, and the driver over a channel."""
