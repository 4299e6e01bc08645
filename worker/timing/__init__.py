"""When a message may leave: wall times, zones, windows; pure, instants are epoch milliseconds."""
