"""What a machine must let through that its pods answer: replies of which it never saw the request."""
