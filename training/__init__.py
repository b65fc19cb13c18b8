"""From a data set and a zoo entry to a run, a registered version and an exported SavedModel."""
