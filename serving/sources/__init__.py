"""Where versions come from: folders that are looked at again and again, and the model configuration file."""
