"""What an artifact costs and how well it reads emotions: measured in processes of its own, reported with intervals."""
