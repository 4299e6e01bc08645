"""When each message of an order leaves: times of rows, windows, spread, and what a preview tells of them."""
