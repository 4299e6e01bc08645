"""The gateways simulated: a process of its own that accepts, refuses, fails on request, and counts.

It imports nothing else of this project, so that it can serve as an independent witness: what it wrote down
in `GET /_sandbox/accepted` is what a gateway would have sent. Each gateway is one room and one `Gateway`.
Every user name with any secret is let in, except the user name `bad`; numbers that end in one of the
`endings` choose their own outcome.
"""
