"""What runs in a worker process: sink, outbox relay, measurement loop, and its shutdown."""
