"""How a batch is submitted: what it consists of, the key of the piece of work, and the requests, each sent once."""
