"""How requests are sent: session, timeouts, retry, Retry-After, rate limit; and how a listing is read page by page."""
