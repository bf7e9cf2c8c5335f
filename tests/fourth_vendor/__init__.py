"""A fourth vendor as somebody else would add it, in a package of their own: nothing here is part of ours."""
