"""The process skiffd: configuration, sockets, signals and systemd around the API and the engine."""
