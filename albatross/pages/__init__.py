"""What makes pages of docs/ from the code: settings, commands, operations, deviations."""
