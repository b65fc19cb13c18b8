"""From a network to a version in a model repository: the SavedModel contract and its atomic appearance."""
