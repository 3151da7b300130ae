"""The engine that runs functions as processes of this machine, and what it starts them with."""
