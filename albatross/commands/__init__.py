"""The commands of `albatross`, a module a subject. albatross/cli.py lists them."""
